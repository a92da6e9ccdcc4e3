"""`eval/evaluation.json`: how the pack was scored, in one of three forms.

`kolm-eval/1` is the plain one. The second form has one more key, `metric_options`; it is written
only where a metric's option differs from its default. The third has `row_keys` too: what rows of
the pack say of their own judging; it is written where some do, or where the gate asks for more than
K and accuracy. So everything else keeps the bytes, and the CID, that it had before there were more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from kolm_cli.bundle.format import layout
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import InputError, Problem, VerificationError
from kolm_cli.scoring import judging
from kolm_cli.scoring.gate import NO_GATE, Gate, NoRegression
from kolm_cli.scoring.k_score import WEIGHTS
from kolm_cli.scoring.metrics.catalog import choose
from kolm_cli.scoring.score import ScoringSettings

PLAIN, WITH_OPTIONS, WITH_ROWS = "kolm-eval/1", "kolm-eval/2", "kolm-eval/3"
_KEYS = {"format", "gate", "include", "max_new_tokens", "metric", "rows", "usd_per_hour"}
_KEYS_OF = {
    PLAIN: _KEYS,
    WITH_OPTIONS: _KEYS | {"metric_options"},
    WITH_ROWS: _KEYS | {"metric_options", "row_keys"},
}
_PLAIN_GATES = {"k", "accuracy"}
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
        row_keys: which keys of their own judging the pack's rows have, in order.
    """

    metric: str
    rows: int
    max_new_tokens: int
    include: Include = "answers"
    gate: Gate = NO_GATE
    usd_per_hour: float | None = None
    metric_options: Mapping[str, Any] = field(default_factory=dict)
    row_keys: tuple[str, ...] = ()

    @property
    def form(self) -> str:
        """The first form that can say it."""
        if self.row_keys or not self.gate.as_json().keys() <= _PLAIN_GATES:
            return WITH_ROWS
        return WITH_OPTIONS if self.metric_options else PLAIN

    def as_json(self) -> dict[str, Any]:
        """The content of the file."""
        facts: dict[str, Any] = {
            "format": self.form,
            "gate": self.gate.as_json(),
            "include": self.include,
            "max_new_tokens": self.max_new_tokens,
            "metric": self.metric,
            "rows": self.rows,
            "usd_per_hour": self.usd_per_hour,
        }
        if self.form != PLAIN:
            facts["metric_options"] = dict(self.metric_options)
        if self.form == WITH_ROWS:
            facts["row_keys"] = list(self.row_keys)
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
        forms = ", ".join(_KEYS_OF)
        raise VerificationError(f"{layout.EVALUATION} is of none of the forms {forms}")
    include, rows, metric = facts["include"], facts["rows"], facts["metric"]
    if include not in ("answers", "digests") or not _count(rows):
        raise VerificationError(f"{layout.EVALUATION}: include or rows is wrong")
    if not isinstance(metric, str):
        raise VerificationError(f"{layout.EVALUATION}: metric is not a name")
    if not _count(facts["max_new_tokens"]):
        raise VerificationError(f"{layout.EVALUATION}: max_new_tokens is not a count")
    settings = EvaluationSettings(
        metric=metric,
        rows=rows,
        max_new_tokens=facts["max_new_tokens"],
        include=include,
        gate=read_gate(facts["gate"]),
        usd_per_hour=_amount(facts["usd_per_hour"], "usd_per_hour"),
        metric_options=_options(facts),
        row_keys=_row_keys(facts.get("row_keys", [])),
    )
    if settings.form != form:
        # One meaning, one sequence of bytes.
        raise VerificationError(f"{layout.EVALUATION} has to be of the form {settings.form}")
    return settings


def _row_keys(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or value != [key for key in judging.KEYS if key in value]:
        raise VerificationError(f"{layout.EVALUATION}: row_keys are not some of {judging.KEYS}")
    return tuple(value)


def _options(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    options = facts.get("metric_options", {})
    if not isinstance(options, dict):
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


def read_gate(value: Any) -> Gate:
    """A gate as a bundle has it.

    Raises:
        VerificationError: it is malformed.
    """
    known = {field.name for field in fields(Gate)}
    if not isinstance(value, dict) or not set(value) <= known:
        raise VerificationError(f"{layout.EVALUATION}: gate is not one")
    plain = {
        name: _amount(value.get(name), f"gate.{name}") for name in ("k", "accuracy", "worst_group")
    }
    axes, groups = (_amounts(value.get(name), f"gate.{name}") for name in ("axes", "groups"))
    if not set(axes) <= set(WEIGHTS):
        raise VerificationError(f"{layout.EVALUATION}: gate.axes are not those of K")
    return Gate(
        **plain, axes=axes, groups=groups, no_regression=_no_regression(value.get("no_regression"))
    )


def _amounts(value: Any, what: str) -> dict[str, float]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not value or None in value.values():
        raise VerificationError(f"{layout.EVALUATION}: {what} names nothing")
    return {name: float(_amount(least, what) or 0) for name, least in value.items()}


def _no_regression(value: Any) -> NoRegression | None:
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) != {"against", "margin", "confidence"}:
        raise VerificationError(f"{layout.EVALUATION}: gate.no_regression is not one")
    margin, confidence = (
        _amount(value[name], f"gate.no_regression.{name}") for name in ("margin", "confidence")
    )
    if not isinstance(value["against"], str) or margin is None or confidence is None:
        raise VerificationError(f"{layout.EVALUATION}: gate.no_regression is not one")
    if not 0.5 <= confidence < 1:
        raise VerificationError(f"{layout.EVALUATION}: gate.no_regression.confidence is none")
    return NoRegression(value["against"], margin, confidence)
