"""ANLS, the average normalized Levenshtein similarity of DocVQA.

Source: Biten et al., "Scene Text Visual Question Answering", ICCV 2019 (arXiv:1905.13648),
equation 1; used by Mathew et al., "DocVQA", WACV 2021 (arXiv:2007.00398). Case does not count,
nor does more than one space. A similarity below 0.5 scores 0: it is another answer, not a badly
read one. At exactly 0.5 the paper's formula gives 0 and the challenge's evaluator, which all
published numbers come from, gives 0.5; this gives what the evaluator gives.
"""

from __future__ import annotations

from rapidfuzz.distance import Levenshtein

from kolm_cli.scoring.metrics.base import Metric, best_of, comparable

THRESHOLD = 0.5


def _similarity(prediction: str, answer: str) -> float:
    prediction, answer = comparable(prediction).lower(), comparable(answer).lower()
    longest = max(len(prediction), len(answer))
    if longest == 0:
        return 1.0
    # Beyond half of the longest the similarity is below the threshold, however far.
    distance = Levenshtein.distance(prediction, answer, score_cutoff=longest // 2)
    similarity = 1.0 - distance / longest
    return similarity if similarity >= THRESHOLD else 0.0


METRIC = Metric(
    name="anls",
    summary="DocVQA's: edit similarity, 0 below one half; case does not count",
    source="Biten et al., ICCV 2019 (arXiv:1905.13648); the evaluator of the DocVQA challenge",
    score=best_of(_similarity),
)
