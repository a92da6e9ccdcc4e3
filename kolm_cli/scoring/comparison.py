"""Two answerers on the same rows: how far apart, and whether chance explains it.

The test is paired, since both answered the same rows: what they have in common cancels. The
difference of the accuracies comes with a 95 % interval by the bootstrap over the rows' differences,
with the same fixed seed as every interval. Beside it stands p of the exact two-sided sign test on
the rows that one of them did better on; where scores are 0 or 1 that is McNemar's exact test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import fsum
from typing import Any

from kolm_cli.scoring.interval import PLACES, lower_bound, middle, resampled_means


def weighted_mean(scores: Sequence[float], weights: Sequence[float] | None) -> float:
    """The mean of the scores, by weight where rows have some."""
    if weights is None:
        return fsum(scores) / len(scores)
    total = fsum(score * weight for score, weight in zip(scores, weights, strict=True))
    return total / fsum(weights)


def sign_test(wins: int, losses: int) -> float:
    """P of the exact two-sided sign test, rounded to 6 places; 1 where nothing differs."""
    count = wins + losses
    term, total = 1, 0
    for i in range(min(wins, losses) + 1):
        total += term
        term = term * (count - i) // (i + 1)
    # Twice the tail; integers, so that every machine has the same value.
    return min(1.0, round((2 * total * 10**9 // (1 << count)) / 10**9, 6))


@dataclass(frozen=True)
class Comparison:
    """An answerer against another one, on the same rows.

    Attributes:
        scores: the row scores of the one.
        others: those of the other, in the same order.
        weights: how much each row counts; all alike when None.
    """

    scores: Sequence[float]
    others: Sequence[float]
    weights: Sequence[float] | None = None

    @cached_property
    def other_accuracy(self) -> float:
        """The accuracy of the other."""
        return weighted_mean(self.others, self.weights)

    @cached_property
    def difference(self) -> float:
        """By how much the one is better."""
        return weighted_mean(self.scores, self.weights) - self.other_accuracy

    @cached_property
    def wins(self) -> int:
        """On how many rows the one is better."""
        return sum(a > b for a, b in zip(self.scores, self.others, strict=True))

    @cached_property
    def losses(self) -> int:
        """On how many rows the other is better."""
        return sum(a < b for a, b in zip(self.scores, self.others, strict=True))

    @cached_property
    def _means(self) -> list[float]:
        differences = [a - b for a, b in zip(self.scores, self.others, strict=True)]
        return resampled_means(differences, self.weights)

    @cached_property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the difference."""
        return middle(self._means)

    @property
    def p(self) -> float:
        """How often chance alone would part the rows so unevenly."""
        return sign_test(self.wins, self.losses)

    def at_least(self, confidence: float) -> float:
        """What the difference is above, with this confidence."""
        return lower_bound(self._means, confidence)

    def as_json(self) -> dict[str, Any]:
        """The comparison as the receipt has it."""
        return {
            "accuracy": round(self.other_accuracy, PLACES),
            "difference": round(self.difference, PLACES),
            "ci95": list(self.interval),
            "wins": self.wins,
            "losses": self.losses,
            "p": self.p,
        }


def verdict(ci95: Sequence[float]) -> str:
    """What an interval of a difference says: `better`, `worse`, or `not told apart`."""
    low, high = ci95
    return "better" if low > 0 else "worse" if high < 0 else "not told apart"
