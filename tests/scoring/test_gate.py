"""Each thing that a gate can ask for: what was asked, what came, how sure it is."""

from __future__ import annotations

from typing import Any

import pytest

from kolm_cli.scoring.gate import Gate, NoRegression, Reached, judge
from kolm_cli.scoring.interval import widened

PREVIOUS: dict[str, Any] = {
    "cid": "b",
    "difference": 0.02,
    "at_least": -0.005,
    "ci95": [-0.01, 0.05],
}
REACHED = Reached(
    k=0.6,
    accuracy=0.8,
    axes={"A": 0.8, "S": 0.3, "L": None},
    groups={"dates": 0.9, "totals": 0.6},
    previous=PREVIOUS,
    intervals={"accuracy": (0.7, 0.9), "groups.totals": (0.4, 0.7), "k": (0.58, 0.62)},
)


@pytest.mark.parametrize(
    ("gate", "passed", "sure", "note"),
    [
        (Gate(k=0.6), True, False, "k 0.6000 reaches the gate's 0.6"),
        (Gate(k=0.55), True, True, "k 0.6000 reaches the gate's 0.55"),
        (Gate(accuracy=0.85), False, False, "accuracy 0.8000 is below the gate's 0.85"),
        (Gate(accuracy=0.95), False, True, "accuracy 0.8000 is below the gate's 0.95"),
        (Gate(axes={"S": 0.2}), True, None, "axes.S 0.3000 reaches the gate's 0.2"),
        (Gate(axes={"L": 0.2}), False, None, "axes.L is undefined, the gate asks for 0.2"),
        (Gate(groups={"dates": 0.8}), True, None, "groups.dates 0.9000 reaches the gate's 0.8"),
        (Gate(groups={"x": 0.8}), False, None, "groups.x is undefined, the gate asks for 0.8"),
        (
            Gate(worst_group=0.7),
            False,
            False,
            "worst_group 0.6000 is below the gate's 0.7 (totals)",
        ),
        (
            Gate(no_regression=NoRegression("x:latest")),
            True,
            True,
            "+0.0200 against x:latest, 95% sure of at least -0.0050",
        ),
        (
            Gate(no_regression=NoRegression("x:latest", margin=0.0)),
            False,
            False,
            "+0.0200 against x:latest, 95% sure of at least -0.0050: the gate asks for +0",
        ),
    ],
)
def test_rulings(gate: Gate, passed: bool, sure: bool | None, note: str) -> None:
    result = judge(gate, REACHED)
    (ruling,) = result.rulings
    assert (result.passed, ruling.sure) == (passed, sure)
    assert ruling.note == note
    assert result.failed == ([] if passed else [note])


def test_the_first_bundle_of_a_name_has_nothing_to_be_worse_than() -> None:
    gate = Gate(no_regression=NoRegression("x:latest"))
    first = judge(gate, Reached(0.5, 0.5, previous={"against": "x:latest", "cid": None}))
    assert first.passed
    assert first.rulings[0].note == "there is no x:latest yet to be worse than"
    assert not judge(gate, Reached(0.5, 0.5)).passed, "nothing was compared"


def test_rows_that_all_score_alike_are_not_sure_by_that() -> None:
    """Resampling a row shows no spread; what Clopper and Pearson give is known."""
    assert widened((1.0, 1.0), 1) == (0.025, 1.0)
    assert widened((0.0, 0.0), 10) == (0.0, 0.3085)
    assert widened((0.5, 0.5), 6) == (0.2704, 0.7296)
    assert widened((0.2, 0.4), 3) == (0.2, 0.4)
    assert widened((1.0, 1.0), 11, [1e6, *[1e-6] * 10]) == (0.025, 1.0)


def test_everything_that_failed_is_named() -> None:
    gate = Gate(k=0.9, accuracy=0.9, axes={"S": 0.9}, groups={"dates": 0.95}, worst_group=0.9)
    assert len(judge(gate, REACHED).failed) == 5
