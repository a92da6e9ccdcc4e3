"""The catalog of metrics. To add one: a module with a `METRIC`, and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kolm_cli.core.errors import InputError, Problem, raise_if_any
from kolm_cli.core.names import likely_fix
from kolm_cli.scoring.metrics import (
    anls,
    cer,
    classification,
    click_in_box,
    contains,
    exact_match,
    iou,
    iou_at_half,
    json_fields,
    normalized_match,
    regex,
    relaxed_accuracy,
    rouge_l,
    token_f1,
    vqa_accuracy,
    weighted,
    wer,
)
from kolm_cli.scoring.metrics.base import ChosenMetric, Metric

METRICS: tuple[Metric, ...] = (
    exact_match.METRIC,
    relaxed_accuracy.METRIC,
    anls.METRIC,
    normalized_match.METRIC,
    contains.METRIC,
    regex.METRIC,
    token_f1.METRIC,
    rouge_l.METRIC,
    cer.METRIC,
    wer.METRIC,
    vqa_accuracy.METRIC,
    classification.METRIC,
    json_fields.METRIC,
    weighted.METRIC,
    iou.METRIC,
    iou_at_half.METRIC,
    click_in_box.METRIC,
)
WHERE = "evaluate.metric"


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
    fix = likely_fix(name, names())
    raise InputError(Problem(f"there is no metric {name!r}", WHERE, fix))


def choose(name: str, options: Mapping[str, Any]) -> ChosenMetric:
    """The metric with this name and these options.

    Raises:
        InputError: there is no such metric, or it does not take an option, or not this value; holds
            every problem.
    """
    metric = get_metric(name)
    found = metric.problems(options)
    raise_if_any(replace(problem, where=f"{WHERE}.{name}") for name, problem in found.items())
    return ChosenMetric(
        metric,
        {
            option.name: option.canonical(options[option.name])
            for option in metric.options
            if option.name in options and options[option.name] != option.default
        },
    )
