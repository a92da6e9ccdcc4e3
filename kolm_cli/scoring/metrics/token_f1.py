"""Token F1: how many words two texts share, as SQuAD scores.

Source: Rajpurkar et al., "SQuAD", EMNLP 2016 (arXiv:1606.05250), section 6.1. Words are those of
`normalized_match`, and count as often as they occur. Where one text has no word left, the score is
1 if neither has, else 0: so the official evaluator of SQuAD 2.0.
"""

from __future__ import annotations

from collections import Counter

from kolm_cli.scoring.metrics.base import Metric, best_of, f1
from kolm_cli.scoring.metrics.normalized_match import normalized


def _shared(prediction: str, answer: str) -> float:
    said, right = normalized(prediction).split(), normalized(answer).split()
    if not said or not right:
        return float(said == right)
    common = sum((Counter(said) & Counter(right)).values())
    return f1(common, len(said), len(right))


METRIC = Metric(
    name="token_f1",
    summary="SQuAD's F1: the words that prediction and answer share",
    source="Rajpurkar et al., SQuAD, EMNLP 2016 (arXiv:1606.05250); the evaluator of SQuAD 2.0",
    score=best_of(_shared),
)
