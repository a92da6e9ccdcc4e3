"""Several metrics at once: the mean of their scores, by weight.

For answers of more than one virtue: fields that are right and a text that is near. In a spec, a
list of metrics with a `weight` each is short for this metric. A row's score is the sum of
weight x score over the sum of the weights.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from kolm_cli.core import canonical_json
from kolm_cli.core.errors import InputError
from kolm_cli.scoring.comparison import weighted_mean
from kolm_cli.scoring.metrics.base import (
    MAX_WEIGHT,
    MIN_WEIGHT,
    NO_ANSWER,
    ChosenMetric,
    Metric,
    MetricOption,
    Said,
    Weights,
)

NAME = "weighted"
MOST = 8
Part = tuple[ChosenMetric, float]


def _chosen(part: Mapping[str, Any]) -> Part:
    """The metric and the weight of one entry.

    Raises:
        InputError: it is not the name of another metric with its options.
        ValueError: its weight is none.
    """
    from kolm_cli.scoring.metrics.catalog import choose

    options = dict(part)
    name, weight = options.pop("name", None), options.pop("weight", 1)
    if not isinstance(name, str) or name == NAME:
        raise ValueError("names no metric that can be a part")
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise ValueError(f"has the weight {weight!r:.40}")
    if not (math.isfinite(weight) and MIN_WEIGHT <= weight <= MAX_WEIGHT):
        limits = f"{MIN_WEIGHT:f} to {MAX_WEIGHT:,}"
        raise ValueError(f"has the weight {weight!r:.40}, which is not from {limits}")
    return choose(name, options), float(weight)


def _wrong(value: Any) -> str:
    if not isinstance(value, list) or not 2 <= len(value) <= MOST:
        return f"is not a list of 2 to {MOST} metrics"
    for part in value:
        if not isinstance(part, dict):
            return "has an entry that is no mapping of name, weight and options"
        try:
            _chosen(part)
        except InputError as error:
            return f"has an entry that is wrong: {error.problems[0]}"
        except ValueError as error:
            return f"has an entry that {error}"
    return ""


def _canonical(value: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same entries in the one form that they have in bundles."""
    parts = [_chosen(part) for part in value]
    return [{"name": part.metric.name, "weight": weight, **part.options} for part, weight in parts]


METRICS = MetricOption(
    "metrics",
    f"2 to {MOST} metrics, each {{name, weight, options...}}; a weight is 1 unless written",
    None,
    _wrong,
    required=True,
    canonical=_canonical,
)


def _parts(metrics: list[dict[str, Any]]) -> tuple[Part, ...]:
    """The parts, chosen once for all rows."""
    return _known(canonical_json.dumps(metrics))


@functools.lru_cache(maxsize=64)
def _known(metrics: bytes) -> tuple[Part, ...]:
    return tuple(map(_chosen, canonical_json.loads(metrics, max_bytes=len(metrics))))


def _mean(prediction: str, answers: Sequence[str], *, metrics: list[dict[str, Any]]) -> float:
    if not answers:
        raise ValueError(NO_ANSWER)
    parts = _parts(metrics)
    total = math.fsum(weight for _, weight in parts)
    scores = (weight * part.score(prediction, answers) for part, weight in parts)
    return min(1.0, math.fsum(scores) / total)


def _each(
    rows: Sequence[Said], weights: Weights, *, metrics: list[dict[str, Any]]
) -> Mapping[str, Any]:
    """The mean and the details of each part."""
    shown = []
    for part, weight in _parts(metrics):
        scores = [0.0 if said is None else part.score(said, answers) for said, answers in rows]
        shown.append(
            {
                "metric": part.metric.name,
                "weight": weight,
                "mean": weighted_mean(scores, weights),
                **part.details(rows, weights),
            }
        )
    return {"parts": shown}


def compares_boxes(chosen: ChosenMetric) -> bool:
    """Whether a metric, or a part of it, compares boxes."""
    if chosen.metric.name != NAME:
        return chosen.metric.boxes
    return any(part.metric.boxes for part, _ in _parts(chosen.options["metrics"]))


METRIC = Metric(
    name=NAME,
    summary="several metrics at once: the mean of their scores, by weight",
    source="kolm",
    score=_mean,
    options=(METRICS,),
    details=_each,
)
