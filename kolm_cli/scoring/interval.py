"""Intervals for a mean of scores, by the percentile bootstrap."""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import fsum

RESAMPLES = 1000
SEED = 20_220_310
PLACES = 4


def resampled_means(scores: Sequence[float], weights: Sequence[float] | None = None) -> list[float]:
    """The means of 1,000 resamples of `scores`, in order.

    The same scores in any order give the same means, on every machine and Python version: only
    `random.random` is used, whose sequence Python promises to keep. 10,000 rows take one or two
    seconds.

    Args:
        scores: one number per row.
        weights: how much each row counts; all alike when None.

    Raises:
        ValueError: there are no scores.
    """
    if not scores:
        raise ValueError("no scores, so no interval")
    draw, count = random.Random(SEED).random, len(scores)  # noqa: S311  # statistics, not secrets
    if weights is None:
        ordered = sorted(scores)
        return sorted(
            fsum([ordered[int(draw() * count)] for _ in range(count)]) / count
            for _ in range(RESAMPLES)
        )
    rows = sorted(zip(scores, weights, strict=True))
    means = []
    for _ in range(RESAMPLES):
        drawn = [rows[int(draw() * count)] for _ in range(count)]
        means.append(fsum(s * w for s, w in drawn) / fsum(w for _, w in drawn))
    return sorted(means)


def bootstrap_interval(
    scores: Sequence[float], weights: Sequence[float] | None = None
) -> tuple[float, float]:
    """Where 95 % of the means of resamples of `scores` lie, rounded to 4 places.

    It says how much another pack of this size could differ, not whether the pack is like the
    users' questions.

    Raises:
        ValueError: there are no scores.
    """
    return middle(resampled_means(scores, weights))


def middle(means: Sequence[float]) -> tuple[float, float]:
    """The middle 95 % of resampled means, rounded."""
    outside = RESAMPLES // 40  # 2.5 % at either end
    return round(means[outside], PLACES), round(means[-1 - outside], PLACES)


def widened(
    interval: tuple[float, float], rows: int, weights: Sequence[float] | None = None
) -> tuple[float, float]:
    """How sure an accuracy is, for a gate.

    Where all rows score alike, resampling shows no spread: it gives one row of one right as sure to
    be 1. There may still be other scores, up to the share that so many rows miss once in 40 times;
    for scores of 0 and 1 that is the interval of Clopper and Pearson.

    Args:
        interval: the bootstrap's.
        rows: how many rows it is of.
        weights: how much each row counts; all alike when None.
    """
    low, high = interval
    if low != high:
        return interval
    if weights is not None:  # Kish's effective number of rows
        rows = max(1, int(fsum(weights) ** 2 / fsum(weight * weight for weight in weights)))
    unseen = 1.0 - 0.025 ** (1.0 / rows)
    return round(low * (1.0 - unseen), PLACES), round(high + (1.0 - high) * unseen, PLACES)


def lower_bound(means: Sequence[float], confidence: float) -> float:
    """What the mean is above with this confidence (one-sided), rounded.

    Args:
        means: resampled means, in order.
        confidence: from 0.5 to below 1.
    """
    # Rounded first: 1 - 0.95 is a little more than 0.05.
    return round(means[int(round(RESAMPLES * (1 - confidence), 6))], PLACES)
