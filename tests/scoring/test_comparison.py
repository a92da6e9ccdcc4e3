"""The paired comparison of two answerers, and the intervals of weighted rows."""

from __future__ import annotations

import pytest

from kolm_cli.scoring.comparison import Comparison, sign_test, verdict
from kolm_cli.scoring.interval import bootstrap_interval


# scipy 1.17.1: binomtest(wins, wins + losses, 0.5).pvalue, which is McNemar's exact test.
@pytest.mark.parametrize(
    ("wins", "losses", "p"),
    [
        (5, 0, 0.0625),
        (8, 2, 0.109375),
        (15, 5, 0.041389),
        (5, 15, 0.041389),
        (60, 40, 0.056888),
        (3, 3, 1.0),
        (1, 0, 1.0),
        (0, 0, 1.0),
    ],
)
def test_the_sign_test(wins: int, losses: int, p: float) -> None:
    assert sign_test(wins, losses) == p


def test_a_thousand_wins_take_no_time_and_are_no_chance() -> None:
    assert sign_test(10_000, 0) == 0.0


def test_a_comparison_is_paired() -> None:
    """Ten rows apart in the same direction are no chance, however much the rows differ."""
    hard = [0.1 * (i % 10) for i in range(100)]
    better = [score + 0.05 for score in hard]
    found = Comparison(better, hard)
    assert found.difference == pytest.approx(0.05)
    assert found.interval == (0.05, 0.05)
    assert (found.wins, found.losses, verdict(found.interval)) == (100, 0, "better")
    low, high = bootstrap_interval(hard)
    assert high - low > 0.05, "unpaired, the difference would drown"


def test_the_interval_of_a_difference_agrees_with_the_normal_approximation() -> None:
    one = [1.0] * 60 + [0.0] * 40 + [1.0] * 100
    other = [0.0] * 60 + [1.0] * 40 + [1.0] * 100
    found = Comparison(one, other)
    # mean 0.1, standard error sqrt((100 / 200 - 0.01) / 200)
    assert found.interval == pytest.approx((0.1 - 1.96 * 0.0495, 0.1 + 1.96 * 0.0495), abs=0.02)
    assert found.at_least(0.95) == pytest.approx(0.1 - 1.645 * 0.0495, abs=0.02)
    assert found.interval[0] < found.at_least(0.95) < found.difference
    assert verdict(found.interval) == "better"
    assert verdict(Comparison(other, one).interval) == "worse"
    assert verdict(Comparison(one, one).interval) == "not told apart"


def test_weights_count() -> None:
    found = Comparison([1.0, 0.0], [0.0, 0.0], [3.0, 1.0])
    assert found.difference == 0.75
    scores, weights = [1.0] * 50 + [0.0] * 50, [2.0] * 100
    low, high = bootstrap_interval(scores, weights)
    assert (low, high) == pytest.approx(bootstrap_interval(scores), abs=0.03)


def test_the_order_of_rows_does_not_count() -> None:
    one, other = [1.0, 0.0, 0.5, 0.25], [0.0, 0.0, 1.0, 0.25]
    again = Comparison(one[::-1], other[::-1])
    assert Comparison(one, other).as_json() == again.as_json()
