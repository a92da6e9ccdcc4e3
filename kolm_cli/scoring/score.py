"""From answers to a verdict: accuracy, interval, coverage, K and gate, in one place.

`kolm compile` scores with it, `kolm eval` scores again with it, and the verifier repeats it on the
bundle's own files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any, Protocol

from kolm_cli.scoring.gate import NO_GATE, Gate, GateResult, judge
from kolm_cli.scoring.interval import bootstrap_interval
from kolm_cli.scoring.k_score import PLACES, KScore, k_score
from kolm_cli.scoring.metrics.base import ChosenMetric

MICROSECONDS_AN_HOUR = 3_600_000_000

Predictions = Mapping[str, str | None]


class Asked(Protocol):
    """A row of an evaluation pack."""

    @property
    def id(self) -> str:
        """Its id, under which a prediction is found."""

    @property
    def accepted(self) -> Sequence[str]:
        """The answers that are right."""


@dataclass(frozen=True)
class ScoringSettings:
    """How answers are scored.

    Attributes:
        metric: compares an answer with the accepted ones.
        gate: what must be reached.
        usd_per_hour: the price of the machine that answers; None leaves the cost axis unmeasured.
    """

    metric: ChosenMetric
    gate: Gate = NO_GATE
    usd_per_hour: float | None = None


@dataclass(frozen=True)
class Measurements:
    """What was measured beside the answers.

    Attributes:
        bytes_total: the sum of the file sizes in `manifest.json`.
        latency_us: median time of one answer in microseconds; None when it was not measured.
    """

    bytes_total: int
    latency_us: int | None


@dataclass(frozen=True)
class ScoreReport:
    """How an adapter did.

    Attributes:
        row_scores: the metric of each row, in the pack's order; 0 for a row without an answer.
        coverage: share of the rows with an answer.
        base_accuracy: mean of the metric for the base, before training; None when the base's
            answers were not given.
        k: the K-score.
        gate: whether the gate was met.
    """

    row_scores: Sequence[float]
    coverage: float
    base_accuracy: float | None
    k: KScore
    gate: GateResult

    @cached_property
    def accuracy(self) -> float:
        """The mean of the metric over all rows, unrounded."""
        return fmean(self.row_scores)

    @cached_property
    def interval(self) -> tuple[float, float]:
        """The 95 % bootstrap interval of the accuracy."""
        return bootstrap_interval(self.row_scores)

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints, and the receipt repeats: values as people read them."""
        found: dict[str, Any] = {
            "accuracy": round(self.accuracy, PLACES),
            "k_score": {
                "spec": self.k.spec,
                "k": self.k.k,
                "axes": self.k.axes,
                "accuracy_ci95": list(self.interval),
            },
            "gate": {"passed": self.gate.passed, "failed": list(self.gate.failed)},
        }
        if self.base_accuracy is not None:
            found["base_accuracy"] = round(self.base_accuracy, PLACES)
        return found


def row_scores(
    metric: ChosenMetric, pack: Sequence[Asked], predictions: Predictions
) -> list[float]:
    """The metric of each row, 0 where there is no answer.

    Raises:
        ValueError: a row has no accepted answer.
    """
    return [
        0.0 if (said := predictions.get(row.id)) is None else metric.score(said, row.accepted)
        for row in pack
    ]


def score(
    pack: Sequence[Asked],
    predictions: Predictions,
    measured: Measurements,
    settings: ScoringSettings,
    base_predictions: Predictions | None = None,
) -> ScoreReport:
    """Score an adapter's answers.

    Args:
        pack: the rows that were asked; at least one.
        predictions: row id to answer; None, or no entry, for a row without one.
        measured: the size and the latency.
        settings: the metric, the gate and the price.
        base_predictions: the base's answers to the same rows, before training.

    Raises:
        ValueError: a row has no accepted answer, or a measurement cannot have been made.
    """
    scores = row_scores(settings.metric, pack, predictions)
    accuracy = fmean(scores)
    coverage = sum(predictions.get(row.id) is not None for row in pack) / len(pack)
    k = k_of(accuracy, coverage, measured, settings.usd_per_hour)
    base = base_predictions
    return ScoreReport(
        row_scores=scores,
        coverage=coverage,
        base_accuracy=None if base is None else fmean(row_scores(settings.metric, pack, base)),
        k=k,
        gate=judge(settings.gate, k.k, accuracy),
    )


def k_of(
    accuracy: float, coverage: float, measured: Measurements, usd_per_hour: float | None
) -> KScore:
    """The K-score of a result.

    Args:
        accuracy: the mean of the metric over all rows.
        coverage: share of the rows with an answer.
        measured: the size and the latency.
        usd_per_hour: the price of the machine that answers.

    Raises:
        ValueError: a measurement cannot have been made.
    """
    return k_score(
        accuracy=accuracy,
        bytes_total=measured.bytes_total,
        latency_microseconds=measured.latency_us,
        usd_per_call=_cost(usd_per_hour, measured.latency_us),
        coverage=coverage,
    )


def _cost(usd_per_hour: float | None, latency_us: int | None) -> float | None:
    """US dollars for one answer."""
    if usd_per_hour is None or latency_us is None:
        return None
    return usd_per_hour * latency_us / MICROSECONDS_AN_HOUR
