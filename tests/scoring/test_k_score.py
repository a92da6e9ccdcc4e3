"""The K-score, its interval and the gate."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolm_cli.scoring.gate import Gate, Reached, judge
from kolm_cli.scoring.interval import bootstrap_interval
from kolm_cli.scoring.k_score import k_score

MEASURED: dict[str, Any] = {
    "accuracy": 0.9,
    "bytes_total": 1024 * 2**15,
    "latency_microseconds": 100_000,
    "usd_per_call": 0.001,
    "coverage": 1.0,
}


def test_by_hand() -> None:
    result = k_score(**MEASURED)
    assert result.axes == {"A": 0.9, "S": 0.5, "L": 0.5, "C": 0.5, "V": 1.0}
    assert result.k == 0.735  # 0.36 + 3 * 0.075 + 0.15
    assert result.spec == "k-score-1"


@pytest.mark.parametrize("missing", list(MEASURED))
def test_an_unmeasured_axis_makes_k_undefined(missing: str) -> None:
    result = k_score(**MEASURED | {missing: None})
    assert result.k is None
    assert len(result.unmeasured) == 1
    assert result.axes[result.unmeasured[0]] is None
    assert sum(value is None for value in result.axes.values()) == 1


@pytest.mark.parametrize(
    ("size", "axis"), [(0, 1.0), (1024, 1.0), (2048, 0.9667), (2**40, 0.0), (2**50, 0.0)]
)
def test_size(size: int, axis: float) -> None:
    assert k_score(**MEASURED | {"bytes_total": size}).axes["S"] == axis


@pytest.mark.parametrize(
    "wrong",
    [
        {"accuracy": 1.01},
        {"accuracy": float("nan")},
        {"coverage": -0.1},
        {"bytes_total": -1},
        {"latency_microseconds": float("inf")},
        {"usd_per_call": -1e-9},
    ],
)
def test_what_cannot_have_been_measured_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        k_score(**MEASURED | wrong)


@given(
    a=st.floats(0, 1),
    size=st.integers(0, 2**60),
    latency=st.floats(0, 1e12),
    cost=st.floats(0, 1e6),
    v=st.floats(0, 1),
)
def test_in_range_and_better_is_never_worse(
    a: float, size: int, latency: float, cost: float, v: float
) -> None:
    def k(**changed: float) -> float:
        given = {
            "accuracy": a,
            "bytes_total": size,
            "latency_microseconds": latency,
            "usd_per_call": cost,
            "coverage": v,
        }
        value = k_score(**given | changed).k  # type: ignore[arg-type]
        assert value is not None
        return value

    assert 0 <= k() <= 1
    assert k() == round(k(), 4)
    assert k(accuracy=1.0) >= k()
    assert k(bytes_total=size // 2) >= k()
    assert k(latency_microseconds=latency / 2) >= k()
    assert k(usd_per_call=cost / 2) >= k()
    assert k(coverage=1.0) >= k()


@pytest.mark.parametrize(
    ("gate", "k", "accuracy", "failed"),
    [
        (Gate(), None, None, []),
        (Gate(0.7, 0.8), 0.7, 0.8, []),
        (Gate(0.7, 0.8), 0.6999, 0.9, ["k 0.6999 is below the gate's 0.7"]),
        (Gate(0.7, 0.8), 0.9, 0.63, ["accuracy 0.6300 is below the gate's 0.8"]),
        (Gate(0.7), None, 1.0, ["k is undefined, the gate asks for 0.7"]),
        (Gate(0.0), None, 1.0, ["k is undefined, the gate asks for 0.0"]),
        (Gate(accuracy=0.5), None, float("nan"), ["accuracy nan is below the gate's 0.5"]),
    ],
)
def test_gate(gate: Gate, k: float | None, accuracy: float | None, failed: list[str]) -> None:
    result = judge(gate, Reached(k, accuracy))
    assert result.failed == failed
    assert result.passed == (not failed)


def test_interval_agrees_with_the_normal_approximation() -> None:
    low, high = bootstrap_interval([1.0] * 160 + [0.0] * 40)
    # 0.8 +- 1.96 * sqrt(0.8 * 0.2 / 200)
    assert low == pytest.approx(0.7446, abs=0.01)
    assert high == pytest.approx(0.8554, abs=0.01)


def test_interval_is_pinned_and_does_not_depend_on_the_order() -> None:
    scores = [0.0, 0.5, 0.75, 1.0, 1.0, 1.0, 0.0, 1.0]
    assert bootstrap_interval(scores) == bootstrap_interval(scores[::-1])
    assert bootstrap_interval(scores) == (0.375, 0.9062)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_interval_lies_within_the_scores(scores: list[float]) -> None:
    low, high = bootstrap_interval(scores)
    assert round(min(scores), 4) <= low <= high <= round(max(scores), 4)


def test_no_scores_no_interval() -> None:
    with pytest.raises(ValueError, match="no scores"):
        bootstrap_interval([])
