"""From answers to a verdict: accuracy, interval, coverage, K and gate, in one place.

`kolm compile` scores with it, `kolm eval` scores again with it, and the verifier repeats it on the
bundle's own files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

from kolm_cli.scoring.comparison import Comparison, weighted_mean
from kolm_cli.scoring.gate import NO_GATE, Gate, GateResult, Reached, judge
from kolm_cli.scoring.groups import GroupScore, by_group
from kolm_cli.scoring.interval import bootstrap_interval, widened
from kolm_cli.scoring.judging import Judging
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

    @property
    def judging(self) -> Judging:
        """What it says of its own judging."""


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
        latency_range: between what the median lies with 95 % confidence; None when not known.
        previous: the comparison with the bundle that the gate names, as the receipt has it; None
            when nothing was compared.
    """

    bytes_total: int
    latency_us: int | None
    latency_range: tuple[int, int] | None = None
    previous: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class RowsScored:
    """The rows of a pack with their scores, and what follows from them alone.

    Attributes:
        scores: the metric of each row, in the pack's order; 0 for a row without an answer.
        weights: how much each row counts; None when all count alike.
        names: the group of each row; empty for none.
        base: the scores of the base's answers; None when they were not given.
        majority: the pack's most frequent answer.
        constant: the scores that this answer would get.
    """

    scores: Sequence[float]
    weights: Sequence[float] | None
    names: Sequence[str]
    base: Sequence[float] | None
    majority: str
    constant: Sequence[float]

    @cached_property
    def accuracy(self) -> float:
        """The mean of the metric over all rows, unrounded."""
        return weighted_mean(self.scores, self.weights)

    @cached_property
    def interval(self) -> tuple[float, float]:
        """The 95 % bootstrap interval of the accuracy."""
        return bootstrap_interval(self.scores, self.weights)

    @cached_property
    def base_interval(self) -> tuple[float, float] | None:
        """The 95 % bootstrap interval of the base's accuracy; None without its answers."""
        return None if self.base is None else bootstrap_interval(self.base, self.weights)

    @cached_property
    def groups(self) -> Mapping[str, GroupScore]:
        """The score of each group, by name."""
        return by_group(self.names, self.scores, self.weights)

    @cached_property
    def against_base(self) -> Comparison | None:
        """The adapter against the base."""
        return None if self.base is None else Comparison(self.scores, self.base, self.weights)

    @cached_property
    def against_majority(self) -> Comparison:
        """The adapter against the pack's most frequent answer, given to every question."""
        return Comparison(self.scores, self.constant, self.weights)

    def compared(self) -> dict[str, Any]:
        """What the adapter was compared with, as the receipt has it."""
        found = {"majority": {"answer": self.majority, **self.against_majority.as_json()}}
        if self.against_base is not None:
            found["base"] = self.against_base.as_json()
        return found


@dataclass(frozen=True)
class ScoreReport:
    """How an adapter did.

    Attributes:
        rows: the rows' scores, and what follows from them.
        coverage: share of the rows with an answer.
        k: the K-score.
        gate: whether the gate was met.
        measured: what was measured beside the answers.
    """

    rows: RowsScored
    coverage: float
    k: KScore
    gate: GateResult
    measured: Measurements

    @property
    def row_scores(self) -> Sequence[float]:
        """The metric of each row, in the pack's order."""
        return self.rows.scores

    @property
    def accuracy(self) -> float:
        """The mean of the metric over all rows, unrounded."""
        return self.rows.accuracy

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % bootstrap interval of the accuracy."""
        return self.rows.interval

    @property
    def base_accuracy(self) -> float | None:
        """The mean of the metric for the base; None when its answers were not given."""
        base = self.rows.base
        return None if base is None else weighted_mean(base, self.rows.weights)

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints, and the receipt repeats: values as people read them."""
        compared = self.rows.compared()
        if self.measured.previous is not None:
            compared["previous"] = dict(self.measured.previous)
        found: dict[str, Any] = {
            "accuracy": round(self.accuracy, PLACES),
            "k_score": {
                "spec": self.k.spec,
                "k": self.k.k,
                "axes": self.k.axes,
                "accuracy_ci95": list(self.interval),
            },
            "gate": {"passed": self.gate.passed, "failed": list(self.gate.failed)},
            "compared": compared,
        }
        if self.rows.groups:
            found["groups"] = {name: one.as_json() for name, one in self.rows.groups.items()}
        if self.base_accuracy is not None:
            found["base_accuracy"] = round(self.base_accuracy, PLACES)
        return found


def row_scores(
    metric: ChosenMetric, pack: Sequence[Asked], predictions: Predictions
) -> list[float]:
    """The metric of each row (its own, if it has one), 0 where there is no answer.

    Raises:
        ValueError: a row has no accepted answer, or one that its metric cannot read.
    """
    return [
        0.0
        if (said := predictions.get(row.id)) is None
        else (row.judging.metric or metric).score(said, row.accepted)
        for row in pack
    ]


def weights_of(pack: Sequence[Asked]) -> list[float] | None:
    """How much each row counts; None when all count alike."""
    weights = [row.judging.weight for row in pack]
    return None if all(weight == 1 for weight in weights) else weights


def majority_answer(pack: Sequence[Asked]) -> str:
    """The most frequent of the rows' first accepted answers; of several, the first in order."""
    counts = Counter(row.accepted[0] for row in pack)
    return min(counts, key=lambda answer: (-counts[answer], answer))


def score_rows(
    metric: ChosenMetric,
    pack: Sequence[Asked],
    predictions: Predictions,
    base_predictions: Predictions | None = None,
) -> RowsScored:
    """Score answers row by row.

    Raises:
        ValueError: a row has no accepted answer, or one that its metric cannot read.
    """
    scores = row_scores(metric, pack, predictions)
    base = None if base_predictions is None else row_scores(metric, pack, base_predictions)
    majority = majority_answer(pack)
    return RowsScored(
        scores=scores,
        weights=weights_of(pack),
        names=[row.judging.group for row in pack],
        base=base,
        majority=majority,
        constant=row_scores(metric, pack, {row.id: majority for row in pack}),
    )


def score(
    pack: Sequence[Asked],
    predictions: Predictions,
    measured: Measurements,
    settings: ScoringSettings,
    base_predictions: Predictions | None = None,
    rows: RowsScored | None = None,
) -> ScoreReport:
    """Score an adapter's answers.

    Args:
        pack: the rows that were asked; at least one.
        predictions: row id to answer; None, or no entry, for a row without one.
        measured: the size, the latency, and what it was compared with.
        settings: the metric, the gate and the price.
        base_predictions: the base's answers to the same rows, before training.
        rows: what `score_rows` gives for these answers, when that is known already.

    Raises:
        ValueError: a row has no accepted answer, or a measurement cannot have been made.
    """
    rows = rows or score_rows(settings.metric, pack, predictions, base_predictions)
    coverage = sum(predictions.get(row.id) is not None for row in pack) / len(pack)
    k = k_of(rows.accuracy, coverage, measured, settings.usd_per_hour)
    gate = judge(
        settings.gate,
        Reached(
            k=k.k,
            accuracy=rows.accuracy,
            axes=k.axes,
            groups={name: one.accuracy for name, one in rows.groups.items()},
            previous=measured.previous,
            intervals={
                **_sampled(rows, settings.gate),
                **_timed(rows.accuracy, coverage, measured, settings),
            },
        ),
    )
    return ScoreReport(rows, coverage, k, gate, measured)


def _sampled(rows: RowsScored, asked: Gate) -> dict[str, tuple[float, float]]:
    """Between what accuracies lie that a gate asks for, as the rows are a sample."""
    found = {}
    if asked.accuracy is not None or "A" in asked.axes:
        whole = widened(rows.interval, len(rows.scores), rows.weights)
        found = {"accuracy": whole, "axes.A": whole}
    if asked.groups or asked.worst_group is not None:
        for name, one in rows.groups.items():
            places = [i for i, group in enumerate(rows.names) if group == name]
            weights = None if rows.weights is None else [rows.weights[i] for i in places]
            found[f"groups.{name}"] = widened(one.interval, one.rows, weights)
    return found


def _timed(
    accuracy: float, coverage: float, measured: Measurements, settings: ScoringSettings
) -> dict[str, tuple[float, float]]:
    """Between what K and its axes L and C lie, as the latency is measured."""
    asked, found = settings.gate, {}
    if measured.latency_range is None or (asked.k is None and not asked.axes.keys() & {"L", "C"}):
        return {}
    low, high = (
        k_of(accuracy, coverage, replace(measured, latency_us=latency), settings.usd_per_hour)
        for latency in reversed(measured.latency_range)
    )
    if low.k is not None and high.k is not None:
        found["k"] = (low.k, high.k)
    for axis in ("L", "C"):
        one, other = low.axes[axis], high.axes[axis]
        if one is not None and other is not None:
            found[f"axes.{axis}"] = (one, other)
    return found


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
