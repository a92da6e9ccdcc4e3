"""Other families in vLLM, by the shape of their tiny bases: LLaVA and Idefics3."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tests.servers.helpers import VLLM, Bundle, checks
from tests.support.jobs import Job, write_rows

pytestmark = pytest.mark.servers


def as_published(name: str) -> str:
    """LLaVA's checkpoints name the tower so; transformers 5 writes what vLLM 0.32 does not know."""
    old, new = "vision_tower.", "vision_tower.vision_model."
    return new + name.removeprefix(old) if name.startswith(old) else name


@pytest.mark.parametrize(
    ("family", "rename"), [("llava", as_published), ("idefics3", str)], ids=["llava", "idefics3"]
)
def test_merged_exports_of_other_families(
    family: str, rename: Callable[[str], str], tmp_path: Path
) -> None:
    job = Job(tmp_path)
    command = [sys.executable, "-m", "kolm_cli.cli.app"]

    def kolm(*arguments: object) -> None:
        told = [*command, *map(str, arguments)]
        subprocess.run(told, cwd=tmp_path, env={**os.environ, **job.env()}, check=True)

    # vLLM's attention on a CPU takes heads of 32 and more.
    kolm("tiny-base", "base", "--family", family, "--width", 128, "--layers", 2)
    weights = tmp_path / "base" / "model.safetensors"
    renamed = {rename(name): tensor for name, tensor in load_file(weights).items()}
    save_file(renamed, weights, metadata={"format": "pt"})
    write_rows(tmp_path / "train.jsonl", 16)
    write_rows(tmp_path / "eval.jsonl", 12, first=10_000)
    job.write_spec(name=family, evaluate={"max_new_tokens": 8}, train={"learning_rate": 5e-3})
    kolm("compile", "spec.yaml", "--progress", "none")
    bundle = Bundle(tmp_path / "dist" / f"{family}.kolm", job.home)
    asked = ("--to", "merged", "--check", "--check-with", "vllm")
    # LLaVA's tokenizer begins a text with a token that its template does not write, and that vLLM's
    # chat API leaves out: the answers happen to be the same, and the check of templates says so.
    begins = family != "llava"
    done = bundle.kolm(
        "export", bundle.path, tmp_path / "merged", *asked, path=VLLM, code=0 if begins else 3
    )
    report = done["parity"]
    assert report["agreement"] == 1.0, report["differences"]
    assert checks(report) == {"base": True, "picture": True, "template": begins}
