"""What a metric is: a name, where it is defined, and a function from an answer to a score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Score = Callable[[str, Sequence[str]], float]


@dataclass(frozen=True)
class Metric:
    """A way to score one answer.

    Attributes:
        name: what `evaluate.metric` says.
        summary: one line for people who choose a metric.
        source: the publication or program that defines it.
        score: takes the prediction and the accepted answers, gives a number in [0, 1]. It raises
            `ValueError` when there is no accepted answer: such a row cannot be scored.
    """

    name: str
    summary: str
    source: str
    score: Score


def best_of(single: Callable[[str, str], float]) -> Score:
    """The best score over all accepted answers, from a function that compares with one."""

    def score(prediction: str, answers: Sequence[str]) -> float:
        if not answers:
            raise ValueError("a row without an accepted answer cannot be scored")
        return max(single(prediction, answer) for answer in answers)

    return score


def one_spaced(text: str) -> str:
    """`text` without outer white space, and one space wherever there is some inside."""
    return " ".join(text.split())
