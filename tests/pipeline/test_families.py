"""capture → compile → verify through the command line, for a base of each family."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.cases import Case
from tests.support.jobs import Job, write_rows
from tests.support.kinds import CASES, case_id

# Qwen2.5-VL's chain is tests/pipeline's; a launch costs ten seconds, so the others wait.
QUICK = {("llava_next", "mistral"), ("idefics3", ""), ("phi3_v", ""), ("text", "smollm2")}
CHAINS = [
    pytest.param(case, marks=[] if case in QUICK else [pytest.mark.slow], id=case_id(case))
    for case in CASES
]


@pytest.mark.parametrize("key", CHAINS)
def test_the_whole_chain(
    key: tuple[str, str], new_case: Callable[..., Case], tmp_path: Path
) -> None:
    case = new_case(*key)
    job = Job(tmp_path)
    (job.folder / "base").symlink_to(case.folder)
    for name, count, first in (("train", 12, 0), ("eval", 4, 10_000)):
        write_rows(job.folder / f"{name}.jsonl", count, first=first)
        if not case.family.takes.images:
            _without_images(job.folder / f"{name}.jsonl")
    job.write_spec(
        data={"train": "capture:chain", "eval": "eval.jsonl"},
        train={"max_seq_length": 4096, "num_train_epochs": 1},
    )
    imported = job.kolm("capture", "import", "train.jsonl", "--to", "chain", "--json")
    assert imported.code == 0, imported.err
    compiled = job.kolm("compile", "spec.yaml", "--json")
    assert compiled.code == 0, compiled.err
    report = compiled.json
    verified = job.kolm("verify", report["bundle"], "--json")
    assert verified.code == 0, verified.out + verified.err
    assert verified.json["state"] == "trusted"
    assert verified.json["cid"] == report["cid"]
    train = _receipt(job, report["bundle"])["vlm_train"]
    assert train["family"] == case.family.name
    assert train["evidence"]["optimizer_steps"] == 3
    assert train["evidence"]["projector_inputs_with_gradient_history"] == 0
    if key not in QUICK:
        again = job.kolm("compile", "spec.yaml", "--json", "--force")
        assert again.code == 0, again.err
        assert again.json["cid"] == report["cid"]


def _receipt(job: Job, bundle: str) -> Any:
    done = job.kolm("receipt", bundle, "--json")
    assert done.code == 0, done.err
    return _find(done.json, "internalParameters")


def _find(value: Any, key: str) -> Any:
    """The first value of `key`, however deep."""
    if isinstance(value, dict):
        if key in value:
            return value[key]
        value = list(value.values())
    found = [_find(inner, key) for inner in value] if isinstance(value, list) else []
    return next((inner for inner in found if inner is not None), None)


def _without_images(path: Path) -> None:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for number, row in enumerate(rows):
        row["images"] = []
        del row["image"]
        # Rows without images that say the same would be one pair.
        row["prompt"] += f" {path.stem} {number}"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
