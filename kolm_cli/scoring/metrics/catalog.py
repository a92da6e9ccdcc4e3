"""The catalogue of metrics. To add one: a module with a `METRIC`, and a line here."""

from __future__ import annotations

import difflib

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.scoring.metrics import anls, exact_match, relaxed_accuracy
from kolm_cli.scoring.metrics.base import Metric

METRICS: tuple[Metric, ...] = (
    exact_match.METRIC,
    relaxed_accuracy.METRIC,
    anls.METRIC,
)


def names() -> tuple[str, ...]:
    """The names that `evaluate.metric` may have."""
    return tuple(metric.name for metric in METRICS)


def get_metric(name: str) -> Metric:
    """The metric with this name.

    Raises:
        InputError: there is none; names the likely one.
    """
    for metric in METRICS:
        if metric.name == name:
            return metric
    close = difflib.get_close_matches(name.lower(), names(), n=1)
    fix = f"did you mean {close[0]}?" if close else f"write one of {', '.join(names())}"
    raise InputError(Problem(f"there is no metric {name!r}", "evaluate.metric", fix))
