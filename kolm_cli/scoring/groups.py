"""Accuracy by group of rows: a good mean can hide a kind of question that goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kolm_cli.scoring.comparison import weighted_mean
from kolm_cli.scoring.interval import PLACES, bootstrap_interval


@dataclass(frozen=True)
class GroupScore:
    """How one group did.

    Attributes:
        rows: how many rows it has.
        accuracy: the mean of their scores, rounded.
        interval: the 95 % bootstrap interval of it.
    """

    rows: int
    accuracy: float
    interval: tuple[float, float]

    def as_json(self) -> dict[str, Any]:
        """The group as the receipt has it."""
        return {"rows": self.rows, "accuracy": self.accuracy, "ci95": list(self.interval)}


def by_group(
    names: Sequence[str], scores: Sequence[float], weights: Sequence[float] | None
) -> dict[str, GroupScore]:
    """The score of each group, by name, in order of name; rows without a group are in none."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        if name:
            places.setdefault(name, []).append(place)
    found = {}
    for name in sorted(places):
        of_group = [scores[i] for i in places[name]]
        weight = None if weights is None else [weights[i] for i in places[name]]
        mean = round(weighted_mean(of_group, weight), PLACES)
        found[name] = GroupScore(len(of_group), mean, bootstrap_interval(of_group, weight))
    return found
