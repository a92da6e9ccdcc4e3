"""Exact match: the same text, apart from white space."""

from __future__ import annotations

from kolm_cli.scoring.metrics.base import Metric, best_of, comparable


def _same(prediction: str, answer: str) -> float:
    return float(comparable(prediction) == comparable(answer))


METRIC = Metric(
    name="exact_match",
    summary="the answer letter by letter; case counts, white space does not",
    source="kolm; stricter than SQuAD's, which also drops case, articles and punctuation",
    score=best_of(_same),
)
