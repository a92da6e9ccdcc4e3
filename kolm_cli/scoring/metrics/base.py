"""What a metric is: a name, where it is defined, and a function from an answer to a score."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from kolm_cli.core.errors import Problem
from kolm_cli.core.names import likely_fix

# What a row, or a part of a metric, may count; far from where doubles underflow.
MIN_WEIGHT, MAX_WEIGHT = 1e-6, 1_000_000
NO_ANSWER = "a row without an accepted answer cannot be scored"
# What was said to a row, or None, and the answers that it accepts.
Said = tuple[str | None, Sequence[str]]
# How much each row counts; None when all count alike.
Weights = Sequence[float] | None


def _as_it_is(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class MetricOption:
    """Something that can be set about a metric.

    Attributes:
        name: its key beside `name` in `evaluate.metric`.
        summary: one line: what it does, and what it may be.
        default: its value when it is not written. Bundles rely on it: never change it.
        wrong: says what is wrong with a value (any JSON value), or nothing.
        required: it has to be written; its default is never used.
        canonical: gives a value that is right the one form that it has in bundles.
    """

    name: str
    summary: str
    default: Any
    wrong: Callable[[Any], str]
    required: bool = False
    canonical: Callable[[Any], Any] = _as_it_is


@dataclass(frozen=True)
class Metric:
    """A way to score one answer.

    Attributes:
        name: what `evaluate.metric` says.
        summary: one line for people who choose a metric.
        source: the publication or program that defines it.
        score: takes the prediction, the accepted answers and the options by name, gives a number
            in [0, 1]. It raises `ValueError` when there is no accepted answer: such a row cannot
            be scored.
        options: what can be set about it.
        details: what can be said of all rows together and of no single one (a confusion table, a
            rate over all letters): takes the rows, their weights and the options, gives JSON. What
            is counted is counted as it is; a mean is by weight.
        boxes: whether it compares boxes.
    """

    name: str
    summary: str
    source: str
    score: Callable[..., float]
    options: tuple[MetricOption, ...] = ()
    details: Callable[..., Mapping[str, Any]] | None = None
    boxes: bool = False

    def problems(self, options: Mapping[str, Any]) -> dict[str, Problem]:
        """What is wrong with these options, by their names."""
        found = {
            option.name: Problem(f"the metric {self.name} needs {option.name}", fix=option.summary)
            for option in self.options
            if option.required and option.name not in options
        }
        for name, value in options.items():
            if (problem := self._problem(name, value)) is not None:
                found[name] = problem
        return found

    def _problem(self, name: str, value: Any) -> Problem | None:
        known = {option.name: option for option in self.options}
        if name in known:
            wrong = known[name].wrong(value)
            return Problem(f"{value!r:.60} {wrong}", fix=known[name].summary) if wrong else None
        none = "" if known else "it takes no options"
        fix = likely_fix(name, list(known), none)
        return Problem(f"the metric {self.name} has no option {name!r:.60}", fix=fix)


@dataclass(frozen=True)
class ChosenMetric:
    """A metric with its options, which were checked.

    Attributes:
        metric: the metric.
        options: those that differ from their defaults; the same choice is always the same value.
    """

    metric: Metric
    options: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def _all(self) -> dict[str, Any]:
        return {option.name: option.default for option in self.metric.options} | {**self.options}

    def score(self, prediction: str, answers: Sequence[str]) -> float:
        """The score of one answer, in [0, 1].

        Raises:
            ValueError: there is no accepted answer.
        """
        return self.metric.score(prediction, answers, **self._all)

    def details(self, rows: Sequence[Said], weights: Weights = None) -> Mapping[str, Any]:
        """What the metric says of all rows together; empty where it has nothing to add.

        Args:
            rows: what was said to each.
            weights: how much each counts.

        Raises:
            ValueError: a row has no accepted answer, or one that the metric cannot read.
        """
        return self.metric.details(rows, weights, **self._all) if self.metric.details else {}


def best_of(single: Callable[..., float]) -> Callable[..., float]:
    """The best score over all accepted answers, from a function that compares with one."""

    def score(prediction: str, answers: Sequence[str], **options: Any) -> float:
        if not answers:
            raise ValueError(NO_ANSWER)
        return max(single(prediction, answer, **options) for answer in answers)

    return score


def f1(common: int, said: int, right: int) -> float:
    """The harmonic mean of common / said and common / right; 0 where nothing is common."""
    return 2 * common / (said + right) if common else 0.0


def yes_or_no(value: Any) -> str:
    """What is wrong with an option that is true or false."""
    return "" if isinstance(value, bool) else "is neither true nor false"


def in_word(character: str) -> bool:
    """Whether a character is part of a word: a letter, a digit, or a sign on one of them.

    In many scripts vowels are signs (Unicode's category M), which tell words apart.
    """
    return character.isalnum() or unicodedata.category(character)[0] == "M"


# A row's prediction is compared with each of its answers.
@functools.lru_cache(maxsize=16)
def comparable(text: str) -> str:
    """`text` as metrics compare it: in Unicode's NFC, single spaces inside, none around.

    Tokenizers normalize what they are given (Qwen's to NFC), so that an answer written in another
    form could never be given as it stands. NFC is stable: no later Unicode changes it.
    """
    return " ".join(unicodedata.normalize("NFC", text).split())
