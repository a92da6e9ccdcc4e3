"""The course of a training that is evaluated on its way: when, when it ends, what is kept of it.

Nothing here but arithmetic: the trainer decides by it, and the verifier decides again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import ceil, inf, isfinite
from typing import Any, Literal

# The receipt lists them all, and each costs as much as answering its rows.
MOST_EVALUATIONS = 1_000
# Enough to tell checkpoints apart by two in a hundred.
MOST_ROWS = 1_000
# What is decided by is what is stated.
PLACES = 6
_EVERY = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?(epoch|step)s?", re.ASCII)


def normal_every(text: str) -> str:
    """`every` in its one form: `0.25 epochs`, `50 steps`.

    Raises:
        ValueError: it is neither a number of epochs nor a whole number of steps above 0.
    """
    number, unit = _read(text)
    return f"{format(number.normalize(), 'f')} {unit}s"


def _read(text: str) -> tuple[Decimal, str]:
    found = _EVERY.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r:.60} is neither a number of epochs nor one of steps")
    number, unit = Decimal(found[1]), found[2]
    if not number or (unit == "step" and number % 1):
        raise ValueError(f"{text!r:.60} is no {'whole number' if number else 'distance'}")
    return number, unit


def optimizer_steps(rows: int, epochs: int, batch: int, accumulation: int, processes: int) -> int:
    """How many steps the optimizer takes over so many rows.

    Args:
        rows: the training rows.
        epochs: how often each is seen.
        batch: rows at a time in one process.
        accumulation: batches to a step.
        processes: how many share the rows.
    """
    batches = -(-rows // (batch * processes))
    return -(-batches // accumulation) * epochs


def evaluated_steps(every: str, epochs: int, total: int) -> list[int]:
    """The steps after which a training is evaluated: every so many, and the last.

    Args:
        every: the distance between two, as `normal_every` takes it.
        epochs: the epochs of the whole training.
        total: its steps.

    Raises:
        ValueError: it is longer than the training, or less than a step, or there would be too many.
    """
    number, unit = _read(every)
    apart = Fraction(number) * (Fraction(total, epochs) if unit == "epoch" else 1)
    if apart > total:
        raise ValueError(f"is longer than the training, which has {total} steps")
    if apart < 1:
        raise ValueError(f"is less than a step: an epoch has {total // epochs}")
    if total / apart > MOST_EVALUATIONS:
        raise ValueError(f"makes {ceil(total / apart)} evaluations, more than {MOST_EVALUATIONS:,}")
    found = (ceil(k * apart) for k in range(1, ceil(total / apart)))
    # Rounded up, the last of them may be the end already.
    return [*(step for step in found if step < total), total]


@dataclass(frozen=True)
class Rule:
    """When a training ends, and which of its weights are kept.

    Attributes:
        keep: the weights of the best evaluation, or the last ones.
        metric: what an evaluation is judged by.
        patience: so many evaluations in a row without an improvement end it; None for none.
        min_delta: what is no more than so much better is no improvement.
    """

    keep: Literal["last", "best"] = "last"
    metric: Literal["accuracy", "loss"] = "accuracy"
    patience: int | None = None
    min_delta: float = 0.0

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Rule:
        """Read `evaluate.during` as a spec has it.

        Raises:
            ValueError: it is of another form.
        """
        stopping = options.get("early_stopping") or {}
        rule = cls(
            keep=options.get("keep", "last"),
            metric=options.get("metric", "accuracy"),
            patience=stopping.get("patience"),
            min_delta=stopping.get("min_delta", 0.0),
        )
        known = rule.keep in ("last", "best") and rule.metric in ("accuracy", "loss")
        counts = rule.patience is None or (type(rule.patience) is int and rule.patience > 0)
        if not (known and counts and type(rule.min_delta) in (int, float)):
            raise ValueError("it is no evaluate.during")
        return rule

    @property
    def chooses(self) -> bool:
        """Whether what was evaluated decides the weights: then its rows must not score them."""
        return self.keep == "best" or self.patience is not None


@dataclass(frozen=True)
class Evaluated:
    """One evaluation.

    Attributes:
        step: the steps that were trained before it.
        loss: the mean over the supervised tokens of all rows; None where it is not finite.
        accuracy: the mean of the spec's metric.
        whole: every tensor that trains had seen a gradient by then; weights of which that is not
            true are not what a receipt says they are, and are not kept.
    """

    step: int
    loss: float | None
    accuracy: float
    whole: bool = True

    @classmethod
    def of(cls, step: int, loss: float, accuracy: float, *, whole: bool) -> Evaluated:
        """What was found, as it is stated."""
        stated = round(loss, PLACES) if isfinite(loss) else None
        return cls(step, stated, round(accuracy, PLACES), whole)


@dataclass
class Course:
    """What was evaluated so far, and what follows from it.

    Attributes:
        rule: what decides.
        evaluated: the evaluations, in their order.
        best: the best of them, of equals the one that is better by the other measure, then the
            first; None before there is one.
        over: the rule ends the training here.
    """

    rule: Rule
    evaluated: list[Evaluated] = field(default_factory=list)
    best: Evaluated | None = None
    over: bool = False
    _reference: float | None = None
    _waited: int = 0

    @classmethod
    def replayed(cls, rule: Rule, evaluated: Iterable[Evaluated]) -> Course:
        """The course of these evaluations."""
        course = cls(rule)
        for one in evaluated:
            course.take(one)
        return course

    def take(self, one: Evaluated) -> bool:
        """Add an evaluation; returns whether it is the best so far.

        Raises:
            ValueError: the training had ended before it, or it is not later than the last.
        """
        if self.over or (self.evaluated and one.step <= self.evaluated[-1].step):
            raise ValueError(f"nothing was left to evaluate at step {one.step}")
        self.evaluated.append(one)
        if not one.whole:
            return False
        value, other = self._values(one)
        if self._reference is None or value > self._reference + self.rule.min_delta:
            self._reference, self._waited = value, 0
        else:
            self._waited += 1
        self.over = self.rule.patience is not None and self._waited >= self.rule.patience
        if self.best is not None and (value, other) <= self._values(self.best):
            return False
        self.best = one
        return True

    def _values(self, one: Evaluated) -> tuple[float, float]:
        """What it is judged by, and the other measure; the more, the better."""
        loss = -inf if one.loss is None else -one.loss
        return (one.accuracy, loss) if self.rule.metric == "accuracy" else (loss, one.accuracy)

    @property
    def kept(self) -> int:
        """The steps of the weights that are kept."""
        if self.rule.keep == "best" and self.best is not None:
            return self.best.step
        return self.evaluated[-1].step


def course_of(
    rule: Rule,
    steps: Sequence[int],
    losses: Sequence[float | None],
    accuracies: Sequence[float],
    incomplete: Sequence[int] = (),
) -> Course:
    """The course that a receipt states.

    Raises:
        ValueError: it is none.
    """
    return Course.replayed(
        rule,
        (
            Evaluated(step, loss, accuracy, step not in incomplete)
            for step, loss, accuracy in zip(steps, losses, accuracies, strict=True)
        ),
    )
