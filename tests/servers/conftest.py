"""The demo's bundle, and small ones of the same base that are trained for seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.servers.helpers import PLACE, ROOT, VLLM, Bundle

TRAIN = {
    **{"lora_r": 16, "lora_alpha": 32, "bf16": False, "max_seq_length": 256},
    **{"per_device_train_batch_size": 32, "gradient_accumulation_steps": 1},
    **{"num_train_epochs": 3, "learning_rate": 2e-3, "cache_vision": True},
}


@pytest.fixture(scope="session")
def demo() -> Bundle:
    """What tests/servers/setup.sh trained."""
    folder = PLACE / "demo"
    if not (folder / "chart-demo.kolm").is_file() or not VLLM.is_dir():
        pytest.fail("nothing is set up: run make test-servers, or bash tests/servers/setup.sh")
    return Bundle(folder / "chart-demo.kolm", folder / "home")


@pytest.fixture(scope="session")
def small(demo: Bundle) -> Callable[..., Bundle]:
    """A bundle of the demo's base on 480 of its rows; kept for the next run."""

    def make(name: str, **train: Any) -> Bundle:
        folder = PLACE / "small" / name
        bundle = Bundle(folder / "dist" / f"{name}.kolm", folder / "home")
        if bundle.path.is_file():
            return bundle
        (folder / "home").mkdir(parents=True, exist_ok=True)
        for side, count in (("train", 480), ("eval", 60)):
            source = demo.path.parent / side
            lines = (source / "data.jsonl").read_text().splitlines()[:count]
            rows = [json.loads(line) for line in lines]
            for row in rows:
                row["image"] = str(source / row["image"])
            (folder / f"{side}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
        spec = {
            **{"kolm": 1, "name": name, "base": {"model": str(ROOT / "kolm_cli/demo/base")}},
            "data": {"train": "train.jsonl", "eval": "eval.jsonl"},
            "train": {**TRAIN, **train},
            "launch": {"device": "cpu", "threads": 1},
            "evaluate": {"metric": "exact_match", "max_new_tokens": 8},
        }
        (folder / "kolm.yaml").write_text(json.dumps(spec))
        subprocess.run(
            [sys.executable, "-m", "kolm_cli.cli.app", "compile", "kolm.yaml"],
            env={**os.environ, "KOLM_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)},
            cwd=folder,
            check=True,
        )
        return bundle

    return make
