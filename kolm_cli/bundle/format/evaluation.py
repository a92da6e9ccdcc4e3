"""`eval/evaluation.json`: how the pack was scored, `kolm-eval/1` or, with options, `kolm-eval/2`.

The second form has one more key, `metric_options`. It is written only where a metric's option
differs from its default, so that everything else keeps the bytes, and so the CID, of the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kolm_cli.bundle.format import layout
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import InputError, Problem, VerificationError
from kolm_cli.scoring.gate import NO_GATE, Gate
from kolm_cli.scoring.metrics.catalog import choose
from kolm_cli.scoring.score import ScoringSettings

PLAIN, WITH_OPTIONS = "kolm-eval/1", "kolm-eval/2"
_KEYS = {"format", "gate", "include", "max_new_tokens", "metric", "rows", "usd_per_hour"}
_KEYS_OF = {PLAIN: _KEYS, WITH_OPTIONS: _KEYS | {"metric_options"}}
_MAX_BYTES = 64 * layout.KIB

Include = Literal["answers", "digests"]


@dataclass(frozen=True)
class EvaluationSettings:
    """What `eval/evaluation.json` says.

    Attributes:
        metric: the metric's name.
        rows: how many rows were asked.
        max_new_tokens: the most tokens of one answer.
        include: whether the bundle holds answers and predictions, or digests of rows alone.
        gate: what was asked for.
        usd_per_hour: the price that the cost axis is made of, None when not given.
        metric_options: the metric's options that differ from their defaults.
    """

    metric: str
    rows: int
    max_new_tokens: int
    include: Include = "answers"
    gate: Gate = NO_GATE
    usd_per_hour: float | None = None
    metric_options: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The content of the file."""
        facts: dict[str, Any] = {
            "format": WITH_OPTIONS if self.metric_options else PLAIN,
            "gate": self.gate.as_json(),
            "include": self.include,
            "max_new_tokens": self.max_new_tokens,
            "metric": self.metric,
            "rows": self.rows,
            "usd_per_hour": self.usd_per_hour,
        }
        if self.metric_options:
            facts["metric_options"] = dict(self.metric_options)
        return facts

    def to_bytes(self) -> bytes:
        """The canonical bytes."""
        return canonical_json.dumps(self.as_json())

    def scoring(self) -> ScoringSettings:
        """How answers are scored by these settings.

        Raises:
            InputError: this kolm does not know the metric, or one of its options; or an option has
                its default, which has to be left out.
        """
        metric = choose(self.metric, self.metric_options)
        for name, value in self.metric_options.items():
            if name not in metric.options:
                what = f"{name} has its default, and is left out then"
                raise InputError(Problem(what, self.metric))
            if canonical_json.dumps(value) != canonical_json.dumps(metric.options[name]):
                raise InputError(Problem(f"{name} is not in its one form", self.metric))
        return ScoringSettings(metric, self.gate, self.usd_per_hour)


def read_settings(data: bytes) -> EvaluationSettings:
    """Read `eval/evaluation.json` strictly.

    Raises:
        VerificationError: it is malformed.
    """
    facts = canonical_json.loads_canonical(data, max_bytes=_MAX_BYTES)
    form = facts.get("format") if isinstance(facts, dict) else None
    if not isinstance(form, str) or set(facts) != _KEYS_OF.get(form):
        raise VerificationError(f"{layout.EVALUATION} is not of the form {PLAIN} or {WITH_OPTIONS}")
    include, rows, metric = facts["include"], facts["rows"], facts["metric"]
    if include not in ("answers", "digests") or not _count(rows):
        raise VerificationError(f"{layout.EVALUATION}: include or rows is wrong")
    if not isinstance(metric, str):
        raise VerificationError(f"{layout.EVALUATION}: metric is not a name")
    if not _count(facts["max_new_tokens"]):
        raise VerificationError(f"{layout.EVALUATION}: max_new_tokens is not a count")
    return EvaluationSettings(
        metric=metric,
        rows=rows,
        max_new_tokens=facts["max_new_tokens"],
        include=include,
        gate=_gate(facts["gate"]),
        usd_per_hour=_amount(facts["usd_per_hour"], "usd_per_hour"),
        metric_options=_options(facts),
    )


def _options(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    options = facts.get("metric_options")
    if facts["format"] == PLAIN:
        return {}
    if not isinstance(options, dict) or not options:
        # Without any, the file has to be of the first form: one meaning, one sequence of bytes.
        raise VerificationError(f"{layout.EVALUATION}: metric_options names no options")
    return options


def _count(value: Any) -> bool:
    return type(value) is int and value >= 1


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
