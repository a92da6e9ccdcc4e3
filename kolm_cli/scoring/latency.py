"""The latency of an answer: a median of measured ones, and how sure it is."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# Enough answers for a steady median; more when a gate hangs on it, up to the most.
ANSWERS = 30
MOST = 4 * ANSWERS
WARM_UP = 2


@dataclass(frozen=True)
class Latency:
    """What was measured.

    Attributes:
        times: microseconds of each answer, alone and warm, in the order of measuring; at least one.
    """

    times: Sequence[int]

    @property
    def answers(self) -> int:
        """How many were measured."""
        return len(self.times)

    @property
    def median(self) -> int:
        """Microseconds of one answer."""
        return round(statistics.median(self.times))

    @property
    def range(self) -> tuple[int, int]:
        """Between what the median lies with 95 % confidence: by the order of the times alone.

        With few times it is all of them.
        """
        ordered, count = sorted(self.times), len(self.times)
        # The most times k with P(Binomial(count, 1/2) < k) <= 2.5 %, at either end.
        term, below, outside = 1, 1, 0
        while below * 40 <= 2**count:
            outside += 1
            term = term * (count - outside + 1) // outside
            below += term
        return ordered[outside], ordered[-1 - outside]

    def as_json(self) -> dict[str, int]:
        """The spread as the receipt has it."""
        low, high = self.range
        return {"answers": self.answers, "low_us": low, "high_us": high}
