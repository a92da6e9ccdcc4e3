"""How long steps took, by a clock that is given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from kolm_cli.trainer import step_times


def timed(monkeypatch: pytest.MonkeyPatch, ends: Sequence[float]) -> step_times.StepTimes:
    clock: Iterator[float] = iter(ends)
    monkeypatch.setattr(step_times.time, "perf_counter", lambda: next(clock))
    times = step_times.StepTimes()
    times.on_train_begin(None, None, None)
    for _ in ends:
        times.on_step_end(None, None, None)
    return times


def test_the_first_steps_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    assert timed(monkeypatch, [0, 100]).as_json() is None
    assert timed(monkeypatch, [0, 100, 102]).as_json() == {
        "median": 2, "low": 2, "high": 2, "steps": 1,
    }  # fmt: skip


def test_one_slow_step_in_ten_is_outside_of_the_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = [0.0, 50.0]
    for seconds in (1, 2, 2, 2, 2, 2, 2, 2, 2, 90):
        ends.append(ends[-1] + seconds)
    assert timed(monkeypatch, ends).as_json() == {
        "median": 2, "low": 2, "high": 2, "steps": 10,
    }  # fmt: skip
