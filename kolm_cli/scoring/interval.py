"""A 95 % interval for an accuracy, by the percentile bootstrap."""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import fsum

RESAMPLES = 1000
SEED = 20_220_310
PLACES = 4


def bootstrap_interval(scores: Sequence[float]) -> tuple[float, float]:
    """Where 95 % of the means of 1,000 resamples of `scores` lie, rounded to 4 places.

    The same scores in any order give the same interval, on every machine and Python version:
    only `random.random` is used, whose sequence Python promises to keep. 10,000 rows take one
    or two seconds. It says how much another pack of this size could differ, not whether the pack is
    like the users' questions.

    Args:
        scores: one number per evaluation row.

    Raises:
        ValueError: there are no scores.
    """
    if not scores:
        raise ValueError("no scores, so no interval")
    ordered = sorted(scores)
    count = len(ordered)
    draw = random.Random(SEED).random  # noqa: S311  # statistics, not secrets
    means = sorted(
        fsum([ordered[int(draw() * count)] for _ in range(count)]) / count for _ in range(RESAMPLES)
    )
    outside = RESAMPLES // 40  # 2.5 % at either end
    return round(means[outside], PLACES), round(means[-1 - outside], PLACES)
