"""Tokens of the spec's rows: how many, how spread, and what padding a batch would hold."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kolm_cli.encoding.row_facts import RowFacts

BINS = 8


def spread(values: Sequence[int]) -> dict[str, int]:
    """Least, middle, nearly most and most."""
    ordered = sorted(values)
    return {
        "min": ordered[0],
        "median": round(statistics.median(ordered)),
        "p95": ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))],
        "max": ordered[-1],
        "mean": round(statistics.fmean(ordered)),
    }


@dataclass(frozen=True)
class RowTokens:
    """What rows hold.

    Attributes:
        rows: how many there are.
        counted: the facts of those that were looked at and can be used.
        refused: id and reason of those that cannot.
    """

    rows: int
    counted: Sequence[RowFacts]
    refused: Sequence[tuple[str, str]]

    def padding(self, batch: int) -> float:
        """The share of a batch that is padding, for batches of rows in their order."""
        tokens = [fact.tokens for fact in self.counted]
        groups = [tokens[i : i + batch] for i in range(0, len(tokens), batch)]
        whole = sum(len(group) * max(group) for group in groups)
        return 1 - sum(tokens) / whole

    def histogram(self) -> list[tuple[int, int, int]]:
        """From, to (exclusive) and rows of equal steps between the least and the most."""
        tokens = [fact.tokens for fact in self.counted]
        least, most = min(tokens), max(tokens)
        width = max(1, -(-(most - least + 1) // BINS))
        found = []
        for start in range(least, most + 1, width):
            found.append((start, start + width, sum(start <= t < start + width for t in tokens)))
        return found

    def as_json(self, batch: int) -> dict[str, Any]:
        """Everything that a plan shows."""
        cut = [fact for fact in self.counted if fact.cut]
        return {
            "rows": self.rows,
            "looked_at": len(self.counted) + len(self.refused),
            "tokens": spread([fact.tokens for fact in self.counted]),
            "image": spread([fact.image_tokens for fact in self.counted]),
            "text": spread([fact.tokens - fact.image_tokens for fact in self.counted]),
            "supervised": spread([fact.supervised for fact in self.counted]),
            "histogram": [
                {"from": start, "below": end, "rows": n} for start, end, n in self.histogram()
            ],
            "cut": [{"row": fact.id, "tokens": fact.cut} for fact in cut],
            "refused": [{"row": id, "why": why} for id, why in self.refused],
            "padding": round(self.padding(batch), 4),
        }
