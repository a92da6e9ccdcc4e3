"""The gate: what a result must reach. Each thing that is asked for is judged by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kolm_cli.scoring.interval import PLACES

# Gates on what hangs on the latency, and on what is no sample of anything.
_TIMED, _COUNTED = ("k", "axes.L", "axes.C"), ("axes.S", "axes.V")


@dataclass(frozen=True)
class NoRegression:
    """That a result is no worse than an earlier bundle, on the same rows.

    Attributes:
        against: the earlier bundle, by tag or CID.
        margin: how much worse it may be.
        confidence: how sure that must be: the lower bound of the difference at this confidence has
            to be above -margin.
    """

    against: str
    margin: float = 0.01
    confidence: float = 0.95

    def as_json(self) -> dict[str, Any]:
        """What is asked for."""
        return {"against": self.against, "margin": self.margin, "confidence": self.confidence}


@dataclass(frozen=True)
class Gate:
    """The least values that pass; None asks for nothing.

    Attributes:
        k: the K-score.
        accuracy: the mean of the metric.
        axes: an axis of K, by its letter.
        groups: the accuracy of a group, by its name.
        worst_group: the accuracy of every group.
        no_regression: the comparison with an earlier bundle.
    """

    k: float | None = None
    accuracy: float | None = None
    axes: Mapping[str, float] = field(default_factory=dict)
    groups: Mapping[str, float] = field(default_factory=dict)
    worst_group: float | None = None
    no_regression: NoRegression | None = None

    def as_json(self) -> dict[str, Any]:
        """What is asked for, by name."""
        asked: dict[str, Any] = {
            "k": self.k,
            "accuracy": self.accuracy,
            "axes": dict(self.axes) or None,
            "groups": dict(self.groups) or None,
            "worst_group": self.worst_group,
            "no_regression": self.no_regression and self.no_regression.as_json(),
        }
        return {name: least for name, least in asked.items() if least is not None}


NO_GATE = Gate()


@dataclass(frozen=True)
class Reached:
    """What a gate is held against; None, or no entry, for what was not measured.

    Attributes:
        k: the K-score, None when it is undefined.
        accuracy: the mean of the metric, unrounded.
        axes: the axes of K.
        groups: the accuracy of each group, rounded.
        previous: `compared.previous` of the receipt: the comparison with the earlier bundle.
        intervals: what is known of how sure a value is, by the gate's name.
    """

    k: float | None
    accuracy: float | None
    axes: Mapping[str, float | None] = field(default_factory=dict)
    groups: Mapping[str, float] = field(default_factory=dict)
    previous: Mapping[str, Any] | None = None
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Ruling:
    """One thing that was asked for.

    Attributes:
        gate: its name.
        least: what was asked.
        value: what came; None when it is undefined.
        interval: where the value may lie, with 95 % confidence; None when that is not known.
        passed: whether it was reached.
        note: a sentence on it.
    """

    gate: str
    least: float
    value: float | None
    interval: tuple[float, float] | None
    passed: bool
    note: str

    @property
    def sure(self) -> bool | None:
        """Whether the whole interval is on the same side; None when there is none."""
        if self.interval is None:
            return None
        low, high = self.interval
        return low >= self.least if self.passed else high < self.least

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "gate": self.gate,
            "asked": self.least,
            "came": None if self.value is None else round(self.value, PLACES),
            "interval": None if self.interval is None else list(self.interval),
            "passed": self.passed,
            "sure": self.sure,
            "note": self.note,
        }


def certainty(ruling: Mapping[str, Any]) -> str:
    """How sure a ruling is, of which `as_json` told; empty where nobody can say."""
    gate, interval = ruling["gate"], ruling["interval"]
    if interval is None:
        return "sure: it is counted" if gate in _COUNTED and ruling["came"] is not None else ""
    sure = "sure" if ruling["sure"] else "not sure"
    why = " by the latency's spread" if gate in _TIMED else ""
    return f"{sure}: 95 % is {interval[0]:.4f} to {interval[1]:.4f}{why}"


@dataclass(frozen=True)
class GateResult:
    """Whether a result passed.

    Attributes:
        rulings: one for each thing that was asked for.
    """

    rulings: tuple[Ruling, ...]

    @property
    def passed(self) -> bool:
        """Everything that was asked for was reached."""
        return all(ruling.passed for ruling in self.rulings)

    @property
    def failed(self) -> list[str]:
        """A sentence for each thing that was not."""
        return [ruling.note for ruling in self.rulings if not ruling.passed]


def hangs_on_latency(result: GateResult) -> bool:
    """Whether a gate on K or its axes L and C would go the other way within the spread."""
    return any(ruling.gate in _TIMED and ruling.sure is False for ruling in result.rulings)


def judge(gate: Gate, reached: Reached) -> GateResult:
    """Hold a result against a gate. A value that is undefined fails every gate on it."""
    return GateResult(tuple(_rulings(gate, reached)))


def _rulings(gate: Gate, reached: Reached) -> Iterator[Ruling]:
    def least(name: str, asked: float | None, value: float | None) -> Iterator[Ruling]:
        if asked is not None:
            yield _at_least(name, asked, value, reached.intervals.get(name))

    yield from least("k", gate.k, reached.k)
    yield from least("accuracy", gate.accuracy, reached.accuracy)
    for axis, asked in gate.axes.items():
        yield from least(f"axes.{axis}", asked, reached.axes.get(axis))
    for name, asked in gate.groups.items():
        yield from least(f"groups.{name}", asked, reached.groups.get(name))
    if gate.worst_group is not None:
        worst = min(reached.groups.items(), key=lambda item: item[1], default=None)
        ruling = _at_least("worst_group", gate.worst_group, worst and worst[1], None)
        named = f"{ruling.note} ({worst[0]})" if worst else ruling.note
        interval = reached.intervals.get(f"groups.{worst[0]}") if worst else None
        yield Ruling("worst_group", ruling.least, ruling.value, interval, ruling.passed, named)
    if gate.no_regression is not None:
        yield _no_regression(gate.no_regression, reached.previous)


def _at_least(
    name: str, least: float, value: float | None, interval: tuple[float, float] | None
) -> Ruling:
    if value is None:
        note, passed = f"{name} is undefined, the gate asks for {least}", False
    elif value >= least:  # so written, a NaN fails
        note, passed = f"{name} {value:.4f} reaches the gate's {least}", True
    else:
        note, passed = f"{name} {value:.4f} is below the gate's {least}", False
    return Ruling(name, least, value, interval, passed, note)


def _no_regression(asked: NoRegression, previous: Mapping[str, Any] | None) -> Ruling:
    name, margin, sure = "no_regression", 0.0 - asked.margin, f"{asked.confidence:.0%}"
    if previous is None:
        note = f"no_regression is undefined: nothing was compared with {asked.against}"
        return Ruling(name, margin, None, None, False, note)
    if previous.get("cid") is None:
        note = f"there is no {asked.against} yet to be worse than"
        return Ruling(name, margin, None, None, True, note)
    difference, lower = float(previous["difference"]), float(previous["at_least"])
    low, high = previous["ci95"]
    words = f"{difference:+.4f} against {asked.against}, {sure} sure of at least {lower:+.4f}"
    if lower >= margin:
        return Ruling(name, margin, difference, (low, high), True, words)
    note = f"{words}: the gate asks for {margin:+g}"
    return Ruling(name, margin, difference, (low, high), False, note)
