"""A compile in a folder and a home of its own, as a user runs it; means with intervals."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from kolm_cli.demo.chain import spec_text

# Two-sided 95 % points of Student's t, by degrees of freedom.
T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}


def spec_for(folder: Path, *, seed: int, **train: Any) -> dict[str, Any]:
    """The demo's spec over the folder's data."""
    spec: dict[str, Any] = yaml.safe_load(spec_text(seed))
    spec["data"] = {"train": "train/data.jsonl", "eval": "eval/data.jsonl"}
    spec["train"] |= {"seed": seed, **train}
    spec["evaluate"]["gate"] = {}
    spec["bundle"] = {"out": str(folder / "dist")}
    return spec


def compile_here(folder: Path, spec: dict[str, Any]) -> dict[str, Any]:
    """Run `kolm compile`; its report."""
    (folder / "kolm.yaml").write_text(yaml.safe_dump(spec))
    done = subprocess.run(
        [sys.executable, "-m", "kolm_cli.cli.app", "compile", "kolm.yaml", "--json"],
        cwd=folder,
        env={**os.environ, "KOLM_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def steps_of(report: dict[str, Any]) -> int:
    """How many optimizer steps a training took."""
    facts = report["receipt"]["predicate"]["buildDefinition"]["internalParameters"]
    steps: int = facts["vlm_train"]["evidence"]["optimizer_steps"]
    return steps


def interval(values: list[float]) -> str:
    """The mean over seeds, with the 95 % interval of Student's t where there are several."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return f"{mean:.4g} (one seed)"
    half = T[len(values) - 1] * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean:.4g} ± {half:.2g}"
