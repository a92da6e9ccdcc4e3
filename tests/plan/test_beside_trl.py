"""TRL's own step, counted as kolm's is: the same bytes of weights, and what TRL does besides."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))


@pytest.mark.interop
def test_what_makes_the_difference() -> None:
    from benchmarks.beside_trl import CASES, counted

    steps = dict(counted(CASES[0], checkpointed=True))
    ours, theirs, narrow, closest = steps.values()
    for step in (theirs, narrow, closest):
        assert step.optimizer.total.kernels == ours.optimizer.total.kernels
        assert step.peak.made_of["base.language"] == ours.peak.made_of["base.language"]
        assert step.peak.made_of["adapters"] == ours.peak.made_of["adapters"]
        # The head a second time; nothing else is left of the difference at the end.
        assert step.micro_batch.total.flops > ours.micro_batch.total.flops
    assert theirs.micro_batch.total.written > 1.5 * ours.micro_batch.total.written
    # The frozen tower is run again, and backward.
    tower = [step.micro_batch.parts["vision"].flops for step in (ours, narrow, closest)]
    assert tower[1] > 2 * tower[0]
    assert tower[2] == tower[0]
    assert closest.micro_batch.total.kernels < 1.01 * ours.micro_batch.total.kernels
    assert closest.peak.bytes == pytest.approx(ours.peak.bytes, rel=0.01)
