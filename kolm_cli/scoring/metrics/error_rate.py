"""What `cer` and `wer` share: edits between two sequences, as a share of the right one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rapidfuzz.distance import Levenshtein

from kolm_cli.scoring.metrics.base import Said, Weights, best_of

Split = Callable[[str], Sequence[str]]


def edits(said: Sequence[str], right: Sequence[str]) -> int:
    """The least number of insertions, deletions and substitutions."""
    return int(Levenshtein.distance(said, right))


def accuracy(split: Split) -> Callable[..., float]:
    """1 - edits / length of the answer, at least 0: the best over the accepted answers."""

    def score(prediction: str, answer: str) -> float:
        said, right = split(prediction), split(answer)
        if not right:
            return float(not said)
        return max(0.0, 1.0 - edits(said, right) / len(right))

    return best_of(score)


def over_all(split: Split, name: str) -> Callable[..., Mapping[str, Any]]:
    """The rate over all rows together, as OCR reports it: all edits over all that is right.

    A long row counts more than a short one, and a row can have more than 1. Of several accepted
    answers the nearest counts; a row without an answer was not read at all. Where nothing is right
    to be read, it is the number of edits, as jiwer has it.
    """

    def rate(rows: Sequence[Said], _: Weights) -> Mapping[str, Any]:
        wrong = length = 0
        for prediction, answers in rows:
            said = split(prediction or "")
            best = min((edits(said, split(a)), -len(split(a))) for a in answers)
            wrong, length = wrong + best[0], length - best[1]
        return {name: wrong / max(1, length)}

    return rate
