"""Contains: the accepted answer occurs in what was said.

For models that answer in a sentence. By whole words unless `whole_words` is false, so that `10` is
not in `100`: the characters around the answer are no letters and no digits. It gives a model that
lists everything a full score; look at the answers before you rely on it.
"""

from __future__ import annotations

from kolm_cli.scoring.metrics.base import (
    Metric,
    MetricOption,
    best_of,
    comparable,
    in_word,
    yes_or_no,
)

CASE = MetricOption("case", "whether case counts: true or false", False, yes_or_no)
WHOLE_WORDS = MetricOption(
    "whole_words", "whether it has to stand alone: true or false", True, yes_or_no
)


def _inside(prediction: str, answer: str, *, case: bool, whole_words: bool) -> float:
    text, wanted = comparable(prediction), comparable(answer)
    if not case:
        text, wanted = text.lower(), wanted.lower()
    if not wanted:
        return float(not text)
    start = text.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        if not whole_words or not (_joined(text, start) or _joined(text, end)):
            return 1.0
        start = text.find(wanted, start + 1)
    return 0.0


def _joined(text: str, place: int) -> bool:
    """Whether a word goes on across this place."""
    return 0 < place < len(text) and in_word(text[place - 1]) and in_word(text[place])


METRIC = Metric(
    name="contains",
    summary="the answer occurs in what was said, as whole words",
    source="kolm",
    score=best_of(_inside),
    options=(CASE, WHOLE_WORDS),
)
