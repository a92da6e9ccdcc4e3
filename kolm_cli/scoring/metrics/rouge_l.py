"""ROUGE-L: the longest common subsequence of words, as an F-measure.

Source: Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", ACL workshop 2004
(W04-1013), section 3, with precision and recall weighted alike; the values are those of Google's
`rouge_score` 0.1.2 without its stemmer. It reads a text in lower case, and takes runs of letters
and digits for words. There that is ASCII only, so that an answer in Greek would have no words;
here letters of every script count, with the signs on them. A script without spaces has one long
word. Two texts without a word score 1 if they are the same.
"""

from __future__ import annotations

from rapidfuzz.distance import LCSseq

from kolm_cli.scoring.metrics.base import Metric, best_of, comparable, f1, in_word


def _words(text: str) -> list[str]:
    kept, inside = [], False
    for character in text:
        # A sign on no letter, as emoji have them, is no word.
        inside = character.isalnum() or (inside and in_word(character))
        kept.append(character if inside else " ")
    return "".join(kept).split()


def _longest(prediction: str, answer: str) -> float:
    prediction, answer = comparable(prediction).lower(), comparable(answer).lower()
    said, right = _words(prediction), _words(answer)
    if not said or not right:
        return float(prediction == answer)
    return f1(LCSseq.similarity(said, right), len(said), len(right))


METRIC = Metric(
    name="rouge_l",
    summary="ROUGE-L: the longest sequence of words that both have, in order",
    source="Lin, ROUGE, ACL workshop 2004 (W04-1013); Google's rouge_score 0.1.2, no stemmer",
    score=best_of(_longest),
)
