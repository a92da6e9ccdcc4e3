"""Scores a bundle's own predictions again, with the metric that it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from kolm_cli.bundle.container.kept_content import read_line
from kolm_cli.bundle.contents import Evidence
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.manifest import Manifest
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import InputError, VerificationError
from kolm_cli.scoring.k_score import KScore, k_score
from kolm_cli.scoring.metrics.catalog import get_metric

_KEYS = {"format", "gate", "include", "max_new_tokens", "metric", "rows", "usd_per_hour"}


@dataclass(frozen=True)
class Gate:
    """What the spec asked for; None asks for nothing."""

    k: float | None = None
    accuracy: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """The evaluation as the bundle holds it.

    Attributes:
        metric: the metric's name.
        rows: how many rows were asked.
        images: the distinct images of the pack.
        gate: what was asked for.
        usd_per_hour: the price that the cost axis is made of, None when not given.
        ids: the rows' ids, in order.
        answers: accepted answers of each row; None when only digests were included.
        predictions: file to one answer a row, None for a row without one.
    """

    metric: str
    rows: int
    images: frozenset[str]
    gate: Gate
    usd_per_hour: float | None
    ids: Sequence[str]
    answers: Sequence[Sequence[str]] | None
    predictions: Mapping[str, Sequence[str | None]]

    def scores(self, path: str) -> list[float]:
        """The metric of every row, 0 for a row without an answer.

        Raises:
            VerificationError: the metric is unknown, or a row has no accepted answer.
        """
        if self.answers is None or path not in self.predictions:
            raise VerificationError(f"there is nothing to score in {path}")
        try:
            score = get_metric(self.metric).score
            return [
                0.0 if said is None else score(said, accepted)
                for said, accepted in zip(self.predictions[path], self.answers, strict=True)
            ]
        except InputError as error:
            raise VerificationError(str(error)) from error
        except ValueError as error:
            raise VerificationError(f"{self.metric}: {error}") from error

    def accuracy(self, path: str = layout.PREDICTIONS) -> float:
        """The mean of the metric over all rows."""
        return fmean(self.scores(path))

    @property
    def coverage(self) -> float:
        """The share of rows with an answer."""
        said = self.predictions[layout.PREDICTIONS]
        return sum(text is not None for text in said) / len(said)


def read_evaluation(evidence: Evidence) -> Evaluation:
    """Read `eval/` strictly.

    Raises:
        VerificationError: something in it is missing, malformed or does not fit together.
    """
    facts = canonical_json.loads_canonical(
        evidence.content(layout.EVALUATION), max_bytes=64 * layout.KIB
    )
    if not isinstance(facts, dict) or set(facts) != _KEYS or facts["format"] != "kolm-eval/1":
        raise VerificationError(f"{layout.EVALUATION} is not of the form kolm-eval/1")
    include, rows, metric = facts["include"], facts["rows"], facts["metric"]
    if include not in ("answers", "digests") or type(rows) is not int or rows < 1:
        raise VerificationError(f"{layout.EVALUATION}: include or rows is wrong")
    if not isinstance(metric, str):
        raise VerificationError(f"{layout.EVALUATION}: metric is not a name")
    closed = include == "digests"
    keys = {"id", "images", "sha256"} if closed else {"id", "images", "answers"}
    pack = _lines(evidence, layout.PACK, keys)
    ids = [row["id"] for row in pack]
    if len(ids) != rows or len(set(ids)) != rows:
        raise VerificationError(f"{layout.PACK} has {len(ids)} rows, not {rows} different ones")
    predictions: dict[str, Sequence[str | None]] = {}
    for path in (layout.PREDICTIONS, layout.BASE_PREDICTIONS):
        if closed and path in evidence.files:
            raise VerificationError(f"{path} stands beside an evaluation by digests alone")
        if not closed:
            predictions[path] = _predictions(evidence, path, ids)
    return Evaluation(
        metric=metric,
        rows=rows,
        images=frozenset(image for row in pack for image in row["images"]),
        gate=_gate(facts["gate"]),
        usd_per_hour=_amount(facts["usd_per_hour"], "usd_per_hour"),
        ids=ids,
        answers=None if closed else [_answers(row) for row in pack],
        predictions=predictions,
    )


def _lines(evidence: Evidence, path: str, keys: set[str]) -> list[dict[str, Any]]:
    data = evidence.content(path)
    if data and not data.endswith(b"\n"):
        raise VerificationError(f"{path}: the last line has no end")
    rows = []
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        try:
            rows.append(read_line(line, keys))
        except VerificationError as error:
            raise VerificationError(f"{path}: line {number}: {error}") from error
    return rows


def _predictions(evidence: Evidence, path: str, ids: Sequence[str]) -> list[str | None]:
    lines = _lines(evidence, path, {"id", "prediction"})
    if [line["id"] for line in lines] != list(ids):
        raise VerificationError(f"{path} does not have the pack's rows in the pack's order")
    said = [line["prediction"] for line in lines]
    if not all(text is None or isinstance(text, str) for text in said):
        raise VerificationError(f"{path}: a prediction is neither text nor null")
    _bounded(path, [text for text in said if text is not None])
    return said


def _answers(row: dict[str, Any]) -> list[str]:
    answers = row["answers"]
    if not isinstance(answers, list) or not all(isinstance(text, str) for text in answers):
        raise VerificationError(f"{layout.PACK}: the answers of {row['id']!r:.80} are not texts")
    _bounded(layout.PACK, answers)
    return answers


def _bounded(path: str, texts: Sequence[str]) -> None:
    if any(len(text) > layout.MAX_TEXT for text in texts):
        raise VerificationError(f"{path}: a text has more than {layout.MAX_TEXT} characters")


def _amount(value: Any, what: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise VerificationError(f"{layout.EVALUATION}: {what} is not an amount")
    return float(value)


def _gate(value: Any) -> Gate:
    if not isinstance(value, dict) or not set(value) <= {"k", "accuracy"}:
        raise VerificationError(f"{layout.EVALUATION}: gate is not one")
    return Gate(_amount(value.get("k"), "gate.k"), _amount(value.get("accuracy"), "gate.accuracy"))


def recomputed(
    evaluation: Evaluation, accuracy: float, manifest: Manifest, latency_us: Any
) -> KScore:
    """K from the bundle's own files and the one thing that they cannot hold: the latency.

    Args:
        evaluation: with answers.
        accuracy: the mean of the metric.
        manifest: its sizes are the S axis.
        latency_us: what the receipt claims, microseconds; None when it was not measured.

    Raises:
        VerificationError: the claimed latency is no duration.
    """
    if latency_us is not None and (type(latency_us) is not int or latency_us < 0):
        raise VerificationError(f"the receipt's latency_us is {latency_us!r:.40}")
    price = evaluation.usd_per_hour
    cost = None if price is None or latency_us is None else price * latency_us / 3_600_000_000
    return k_score(
        accuracy=accuracy,
        bytes_total=manifest.total_bytes,
        latency_microseconds=latency_us,
        usd_per_call=cost,
        coverage=evaluation.coverage,
    )
