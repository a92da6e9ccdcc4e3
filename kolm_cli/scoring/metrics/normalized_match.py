"""Normalized match: the same text but for case, punctuation and articles, as SQuAD scores.

Source: Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", EMNLP 2016
(arXiv:1606.05250), section 6.1. The text is lowered, ASCII punctuation goes, then the words `a`,
`an` and `the`, then white space that is left over: the order of the official evaluator, which all
published numbers come from. So `U.S.A.` is `usa`, and `a-b` is `ab`.
"""

from __future__ import annotations

import re
import string

from kolm_cli.scoring.metrics.base import Metric, best_of, comparable

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def normalized(text: str) -> str:
    """`text` as SQuAD compares it."""
    plain = comparable(text).lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", plain).split())


def _same(prediction: str, answer: str) -> float:
    return float(normalized(prediction) == normalized(answer))


METRIC = Metric(
    name="normalized_match",
    summary="SQuAD's: case, punctuation and the words a, an, the do not count",
    source="Rajpurkar et al., SQuAD, EMNLP 2016 (arXiv:1606.05250); its official evaluator",
    score=best_of(_same),
)
