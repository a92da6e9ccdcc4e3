"""When a training ends that is evaluated on its way, and which of its weights are kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolm_cli.scoring.course import (
    MOST_EVALUATIONS,
    Course,
    Evaluated,
    Rule,
    evaluated_steps,
    normal_every,
    optimizer_steps,
)


def course(rule: Rule, *accuracies: float, losses: tuple[float | None, ...] = ()) -> Course:
    """An evaluation after each step."""
    given = losses or (1.0,) * len(accuracies)
    pairs = zip(given, accuracies, strict=True)
    return Course.replayed(rule, (Evaluated(n, *pair) for n, pair in enumerate(pairs, 1)))


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("0.25 epochs", "0.25 epochs"),
        ("0.250 epoch", "0.25 epochs"),
        ("1 epoch", "1 epochs"),
        ("50steps", "50 steps"),
        (" 100.0 steps ", "100 steps"),
    ],
)
def test_a_distance_has_one_form(text: str, normal: str) -> None:
    assert normal_every(text) == normal == normal_every(normal)


@pytest.mark.parametrize(
    "text", ["", "0.25", "epochs", "0 epochs", "1.5 steps", "-1 steps", "1e2 steps", "٣ steps"]
)
def test_what_is_no_distance(text: str) -> None:
    with pytest.raises(ValueError, match=r"neither|is no"):
        normal_every(text)


@pytest.mark.parametrize(
    ("every", "epochs", "total", "steps"),
    [
        ("0.25 epochs", 2, 20, [3, 5, 8, 10, 13, 15, 18, 20]),
        ("7 steps", 2, 20, [7, 14, 20]),
        ("10 steps", 2, 20, [10, 20]),
        ("2 epochs", 2, 20, [20]),
    ],
)
def test_steps(every: str, epochs: int, total: int, steps: list[int]) -> None:
    assert evaluated_steps(every, epochs, total) == steps


@pytest.mark.parametrize(
    ("every", "what"),
    [
        ("21 steps", "longer than the training, which has 20 steps"),
        ("2.1 epochs", "longer than the training"),
        ("0.09 epochs", "less than a step: an epoch has 10"),
    ],
)
def test_steps_that_there_cannot_be(every: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        evaluated_steps(every, 2, 20)
    with pytest.raises(ValueError, match="makes 1001 evaluations, more than 1,000"):
        evaluated_steps("1 steps", 1, MOST_EVALUATIONS + 1)


@given(
    every=st.integers(1, 40),
    unit=st.sampled_from([("steps", 1), ("epochs", 10)]),
    epochs=st.integers(1, 5),
    each=st.integers(1, 30),
)
def test_steps_rise_to_the_last_one(
    every: int, unit: tuple[str, int], epochs: int, each: int
) -> None:
    total = epochs * each
    try:
        steps = evaluated_steps(f"{every / unit[1]} {unit[0]}", epochs, total)
    except ValueError:
        return
    assert steps == sorted(set(steps))
    assert steps[0] >= 1
    assert steps[-1] == total


def test_steps_of_a_training() -> None:
    assert optimizer_steps(17, 3, 2, 4, 1) == 9
    assert optimizer_steps(17, 3, 2, 4, 2) == 6


def test_the_last_weights_are_kept_unless_told() -> None:
    found = course(Rule(), 0.5, 0.9, 0.2)
    assert (found.kept, found.over) == (3, False)


def test_the_best_weights_are_kept() -> None:
    best = Rule(keep="best")
    assert course(best, 0.5, 0.9, 0.2).kept == 2
    # Of equals the one with the lower loss, then the first.
    assert course(best, 0.5, 0.9, 0.9, losses=(3.0, 2.0, 1.0)).kept == 3
    assert course(best, 0.9, 0.9, 0.9).kept == 1
    by_loss = Rule(keep="best", metric="loss")
    assert course(by_loss, 0.5, 0.9, 0.2, losses=(1.0, None, 0.5)).kept == 3
    assert course(by_loss, 0.5, 0.9, losses=(None, None)).kept == 2


def test_patience() -> None:
    rule = Rule(keep="best", patience=2)
    assert not course(rule, 0.5, 0.4).over
    found = course(rule, 0.5, 0.4, 0.5)
    assert found.over
    with pytest.raises(ValueError, match="nothing was left to evaluate at step 4"):
        found.take(Evaluated(4, 1.0, 0.9))
    assert not course(rule, 0.5, 0.4, 0.6, 0.5).over


def test_small_steps_add_up_to_an_improvement() -> None:
    """A reference that moved with them would call a steady climb a standstill."""
    assert not course(Rule(patience=2, min_delta=0.1), 0.5, 0.58, 0.65, 0.7, 0.77).over
    assert course(Rule(patience=2, min_delta=0.1), 0.5, 0.58, 0.59).over


def test_weights_that_a_gradient_has_not_reached_are_not_kept() -> None:
    rule = Rule(keep="best", patience=1)
    found = Course.replayed(
        rule, [Evaluated(1, 1.0, 0.9, whole=False), Evaluated(2, 1.0, 0.5), Evaluated(3, 1.0, 0.6)]
    )
    assert (found.kept, found.over) == (3, False)


def test_what_is_decided_by_is_what_is_stated() -> None:
    one = Evaluated.of(3, float("nan"), 2 / 3, whole=True)
    assert (one.loss, one.accuracy) == (None, 0.666667)
