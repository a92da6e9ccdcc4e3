"""The median of measured times, and how sure it is."""

from __future__ import annotations

import pytest
from scipy.stats import binom

from kolm_cli.scoring.latency import ANSWERS, Latency


@pytest.mark.parametrize("count", [6, 20, ANSWERS, 60, 120])
def test_the_range_is_that_of_the_order_statistics(count: int) -> None:
    found = Latency(list(range(count))).range
    outside = int(binom.ppf(0.025, count, 0.5))
    if binom.cdf(outside - 1, count, 0.5) > 0.025:
        outside -= 1
    assert found == (outside, count - 1 - outside)


@pytest.mark.parametrize("times", [[5], [5, 9], [3, 1, 2]])
def test_few_times_are_all_within(times: list[int]) -> None:
    assert Latency(times).range == (min(times), max(times))


def test_the_order_of_measuring_does_not_count() -> None:
    assert Latency([9, 1, 5]).as_json() == {"answers": 3, "low_us": 1, "high_us": 9}
    assert Latency([9, 1, 5]).median == 5
