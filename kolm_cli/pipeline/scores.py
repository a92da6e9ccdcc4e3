"""From answers to a score: metric, interval, K, gate; arithmetic on what the worker stored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from kolm_cli.records.row import Row
from kolm_cli.scoring.gate import GateResult, judge
from kolm_cli.scoring.interval import bootstrap_interval
from kolm_cli.scoring.k_score import KScore, k_score
from kolm_cli.scoring.metrics.catalog import get_metric
from kolm_cli.spec.model import EvaluateSection

Predictions = dict[str, str | None]


@dataclass(frozen=True)
class Score:
    """How an adapter did.

    Attributes:
        accuracy: mean of the metric over all rows; a row without an answer counts 0.
        interval: the 95 % bootstrap interval of that mean.
        coverage: share of rows with an answer.
        base_accuracy: the same mean for the base, before training.
    """

    accuracy: float
    interval: tuple[float, float]
    coverage: float
    base_accuracy: float
    k: KScore
    gate: GateResult

    def as_json(self) -> dict[str, Any]:
        """The parts that `kolm compile --json` prints."""
        return {
            "k_score": {
                "spec": self.k.spec,
                "k": self.k.k,
                "axes": self.k.axes,
                "accuracy_ci95": [round(bound, 4) for bound in self.interval],
            },
            "base_accuracy": round(self.base_accuracy, 4),
            "gate": {"passed": self.gate.passed, "failed": list(self.gate.failed)},
        }


def read_predictions(path: Path) -> Predictions:
    """Row id to answer, from a predictions file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {entry["id"]: entry["prediction"] for entry in map(json.loads, lines)}


def row_scores(metric: str, pack: Sequence[Row], predictions: Predictions) -> list[float]:
    """The metric of each row, 0 where there is no answer."""
    score = get_metric(metric).score
    return [
        0.0 if (said := predictions.get(row.id)) is None else score(said, row.accepted)
        for row in pack
    ]


def make_score(
    evaluate: EvaluateSection,
    pack: Sequence[Row],
    predictions: Predictions,
    base_predictions: Predictions,
    *,
    latency_us: int,
    bytes_total: int,
) -> Score:
    """Everything that the report says about an adapter."""
    scores = row_scores(evaluate.metric, pack, predictions)
    base_scores = row_scores(evaluate.metric, pack, base_predictions)
    accuracy = fmean(scores)
    answered = sum(predictions.get(row.id) is not None for row in pack)
    coverage = answered / len(pack)
    price = evaluate.usd_per_hour
    cost = None if price is None else price * latency_us / 3_600_000_000
    k = k_score(
        accuracy=accuracy,
        bytes_total=bytes_total,
        latency_microseconds=latency_us,
        usd_per_call=cost,
        coverage=coverage,
    )
    return Score(
        accuracy=accuracy,
        interval=bootstrap_interval(scores),
        coverage=coverage,
        base_accuracy=fmean(base_scores),
        k=k,
        gate=judge(evaluate.gate, k.k, accuracy),
    )
