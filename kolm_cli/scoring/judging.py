"""What a row says of its own judging: its group, how much it counts, and a metric of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kolm_cli.scoring.metrics.base import MAX_WEIGHT, MIN_WEIGHT, ChosenMetric
from kolm_cli.scoring.metrics.catalog import choose

KEYS = ("group", "metric", "weight")
LONGEST_GROUP = 64


@dataclass(frozen=True)
class Judging:
    """How one row is judged, where it differs from the others.

    Attributes:
        group: the group whose accuracy it counts for; empty for none.
        weight: how much it counts in the accuracy.
        metric: compares its answer, instead of the spec's metric.
    """

    group: str = ""
    weight: float = 1.0
    metric: ChosenMetric | None = None

    def as_json(self) -> dict[str, Any]:
        """What differs from the default, by key; `of` reads it."""
        said: dict[str, Any] = {}
        if self.group:
            said["group"] = self.group
        if self.metric is not None:
            said["metric"] = metric_json(self.metric)
        if self.weight != 1:
            said["weight"] = self.weight
        return said

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Judging:
        """Read what a row says.

        Raises:
            ValueError: a value cannot be one.
            InputError: it names no metric, or a wrong option.
        """
        group, weight, metric = said.get("group"), said.get("weight"), said.get("metric")
        return cls(
            "" if group is None else _group(group),
            1.0 if weight is None else _weight(weight),
            None if metric is None else _metric(metric),
        )


PLAIN = Judging()


def metric_json(metric: ChosenMetric) -> dict[str, Any]:
    """A metric with its options as one mapping."""
    return {"name": metric.metric.name, **metric.options}


def _group(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_GROUP or not value.isprintable():
        raise ValueError(f"group: {value!r:.80} is no text of at most {LONGEST_GROUP} characters")
    if value != value.strip():
        raise ValueError(f"group: {value!r:.80} has spaces around it, which nobody sees")
    return value


def _weight(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"weight: {value!r:.80} is no number")
    if not (math.isfinite(value) and MIN_WEIGHT <= value <= MAX_WEIGHT):
        raise ValueError(f"weight: {value!r:.80} is not from {MIN_WEIGHT:f} to {MAX_WEIGHT:,}")
    return float(value)


def _metric(value: Any) -> ChosenMetric:
    if isinstance(value, str):
        return choose(value, {})
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise ValueError(f"metric: {value!r:.80} is no name, and no mapping of name and options")
    options = dict(value)
    return choose(options.pop("name"), options)
