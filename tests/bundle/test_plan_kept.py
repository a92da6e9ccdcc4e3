"""Plan and measurement side by side, out of an environment that may hold anything."""

from __future__ import annotations

from typing import Any

import pytest

from kolm_cli.bundle.plan_kept import beside

STEP = {"median": 0.412, "low": 0.4, "high": 0.45, "steps": 198}
PLANNED = {"live_bytes": 20 * 10**9, "needed_bytes": 22 * 10**9, "seconds_a_step": 0.35}


def test_both_sides_of_a_run_on_a_gpu() -> None:
    found = beside(
        {
            "accelerator": "cuda",
            "planned": PLANNED,
            "seconds_a_step": STEP,
            "peak_bytes": 21 * 10**9,
        }
    )
    assert [str(each) for each in found] == [
        "0.412 s measured (0.400 to 0.450, 198 steps), 0.350 s planned, 1.18 times the plan",
        "21.000 GB measured, 20.000 GB planned, 1.05 times the plan",
    ]
    assert found[0].as_json() == {"planned": 0.35, "measured": 0.412, "times": 1.177}


def test_a_cpu_has_steps_and_no_memory() -> None:
    found = beside({"accelerator": "cpu", "seconds_a_step": STEP})
    assert [str(each) for each in found] == [
        "0.412 s measured (0.400 to 0.450, 198 steps)",
        "not measured on a CPU",
    ]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"accelerator": "cpu"},
        {"planned": [], "seconds_a_step": "fast", "peak_bytes": True},
        {"planned": {"live_bytes": "1", "seconds_a_step": -1}, "peak_bytes": 10**400},
        {"seconds_a_step": {"median": float("nan")}},
    ],
)
def test_what_says_nothing(environment: dict[str, Any]) -> None:
    assert beside(environment) == []


def test_nothing_planned_is_no_ratio() -> None:
    [found] = beside({"planned": {"seconds_a_step": 0}, "seconds_a_step": STEP})
    assert found.times is None
