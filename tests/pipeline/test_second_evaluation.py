"""Another evaluation of a trained adapter: what it asks for decides nothing about the training."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.support.jobs import Job


def test_a_first_row_that_fills_the_budget_is_compared_as_it_was_trained(
    new_job: Callable[..., Job],
) -> None:
    """The row by which trained and reloaded model are compared needs no room for other answers."""
    job = new_job(train={"max_seq_length": 128})
    lines = (job.folder / "train.jsonl").read_text().splitlines()
    first = {**json.loads(lines[0]), "prompt": "a long question " * 12}
    (job.folder / "train.jsonl").write_text("\n".join([json.dumps(first), *lines[1:]]) + "\n")
    done = job.kolm("compile", "spec.yaml", "--json")
    assert done.code == 0, done.err
    job.write_spec(train={"max_seq_length": 128}, evaluate={"max_new_tokens": 40})
    again = job.kolm("compile", "spec.yaml", "--json")
    assert again.code == 0, again.err
    assert "train" not in [line.split()[0] for line in again.err.splitlines() if line]


@pytest.mark.slow
def test_force_trains_also_when_only_the_answers_are_missing(new_job: Callable[..., Job]) -> None:
    job = new_job()
    assert job.kolm("compile", "spec.yaml").code == 0
    [trained] = (job.home / "runs").glob("*/trained/sealed.json")
    before = trained.stat().st_mtime_ns
    [evaluated] = (job.home / "runs").glob("*/evaluations/*/sealed.json")
    evaluated.unlink()
    assert job.kolm("compile", "spec.yaml", "--force").code == 0
    assert trained.stat().st_mtime_ns != before
