"""VQA accuracy: right is what at least three of the other annotators said.

Source: Antol et al., "VQA: Visual Question Answering", ICCV 2015 (arXiv:1505.00468), section 3, and
the evaluator of Goyal et al., VQA v2.0, CVPR 2017: min(1, matches / 3), averaged over the ten ways
to leave one annotator out. With one match that is 0.3, with two 0.6, with three 0.9, then 1. It
needs ten answers, repeated as often as they were given.

Both sides are compared after the evaluator's processing: in lower case, punctuation taken out
(where it stands next to a space, or the text has a comma between digits) or made a space, periods
that no digit follows taken out, `none` and `zero` to `ten` as digits, `a`, `an`, `the` left out.
One difference: the evaluator writes contractions with their apostrophe by a table (`dont` is
`don't`); here no apostrophe counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from kolm_cli.scoring.metrics.base import NO_ANSWER, Metric, comparable

ANNOTATORS = 10
ENOUGH = 3
_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_NUMBER_COMMA = re.compile(r"[0-9],[0-9]")
_PERIOD = re.compile(r"\.(?![0-9])")
_APOSTROPHES = str.maketrans("", "", "'\N{RIGHT SINGLE QUOTATION MARK}")
_ARTICLES = frozenset({"a", "an", "the"})
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_DIGITS = {"none": "0"} | {word: str(number) for number, word in enumerate(_NUMBERS)}


def processed(text: str) -> str:
    """`text` as the evaluator compares it."""
    given = plain = comparable(text)
    in_number = bool(_NUMBER_COMMA.search(given))
    for mark in _PUNCTUATION:
        apart = f"{mark} " in given or f" {mark}" in given
        plain = plain.replace(mark, "" if apart or in_number else " ")
    words = _PERIOD.sub("", plain).lower().translate(_APOSTROPHES).split()
    return " ".join(_DIGITS.get(word, word) for word in words if word not in _ARTICLES)


def _agreed(prediction: str, answers: Sequence[str]) -> float:
    if not answers:
        raise ValueError(NO_ANSWER)
    if len(answers) != ANNOTATORS:
        raise ValueError(
            f"it has {len(answers)} answers; vqa_accuracy needs those of {ANNOTATORS} annotators,"
            " repeated as often as they were given; a response that is not among them is one more"
        )
    said = processed(prediction)
    matches = sum(processed(answer) == said for answer in answers)
    # Left out once each: those who agree have one match less among the others. In whole numbers,
    # so that the mean is exact.
    agree = matches * min(ENOUGH, matches - 1) if matches else 0
    differ = (ANNOTATORS - matches) * min(ENOUGH, matches)
    return (agree + differ) / (ENOUGH * ANNOTATORS)


METRIC = Metric(
    name="vqa_accuracy",
    summary="VQA's: what three of ten annotators said is right; needs ten answers a row",
    source="Antol et al., VQA, ICCV 2015 (arXiv:1505.00468); the evaluator of VQA v2.0",
    score=_agreed,
)
