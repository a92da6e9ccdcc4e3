"""What a metric is: a name, where it is defined, and a function from an answer to a score."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from kolm_cli.core.errors import Problem


@dataclass(frozen=True)
class MetricOption:
    """Something that can be set about a metric.

    Attributes:
        name: its key beside `name` in `evaluate.metric`.
        summary: one line: what it does, and what it may be.
        default: its value when it is not written. Bundles rely on it: never change it.
        wrong: says what is wrong with a value (any JSON value), or nothing.
    """

    name: str
    summary: str
    default: Any
    wrong: Callable[[Any], str]


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
    """

    name: str
    summary: str
    source: str
    score: Callable[..., float]
    options: tuple[MetricOption, ...] = ()

    def problems(self, options: Mapping[str, Any]) -> dict[str, Problem]:
        """What is wrong with these options, by their names."""
        return {
            name: problem
            for name, value in options.items()
            if (problem := self._problem(name, value)) is not None
        }

    def _problem(self, name: str, value: Any) -> Problem | None:
        known = {option.name: option for option in self.options}
        if name in known:
            wrong = known[name].wrong(value)
            return Problem(f"{value!r:.60} {wrong}", fix=known[name].summary) if wrong else None
        close = difflib.get_close_matches(name.lower(), known, n=1)
        if close:
            fix = f"did you mean {close[0]}?"
        elif known:
            fix = f"it takes {', '.join(known)}"
        else:
            fix = "it takes no options"
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


def best_of(single: Callable[..., float]) -> Callable[..., float]:
    """The best score over all accepted answers, from a function that compares with one."""

    def score(prediction: str, answers: Sequence[str], **options: Any) -> float:
        if not answers:
            raise ValueError("a row without an accepted answer cannot be scored")
        return max(single(prediction, answer, **options) for answer in answers)

    return score


def comparable(text: str) -> str:
    """`text` as metrics compare it: in Unicode's NFC, single spaces inside, none around.

    Tokenizers normalize what they are given (Qwen's to NFC), so that an answer written in another
    form could never be given as it stands. NFC is stable: no later Unicode changes it.
    """
    return " ".join(unicodedata.normalize("NFC", text).split())
