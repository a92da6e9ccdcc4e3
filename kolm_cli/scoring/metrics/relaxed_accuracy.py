"""Relaxed accuracy, as ChartQA scores: numbers may be 5 % off, all else must be the same.

Source: Masry et al., "ChartQA", Findings of ACL 2022, section 5.1 (arXiv:2203.10244), after
Methani et al., "PlotQA", WACV 2020. The widely used evaluator is the one of Pix2Struct
(`relaxed_correctness`), and this gives its results: `25%` is the number 0.25, and what is not two
numbers is compared as text without regard to case. It differs on purpose in four points:

- thousands separators are read (`1,234` is 1234), white space around an answer is not;
- an answer of zero is a number too: `0.0` is right for `0`, and nothing else is near it;
- `nan`, `inf` and `1_000`, which Python's `float` reads, are text;
- the arithmetic is decimal, so that 0.315 is exactly 5 % off 0.3, and accepted.
"""

from __future__ import annotations

import re
from decimal import Decimal

from kolm_cli.scoring.metrics.base import Metric, best_of, one_spaced

_NUMBER = re.compile(
    r"[-+]?(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
    r"(?:[eE][-+]?[0-9]{1,3})?"
)
# No chart's number is longer; the bound keeps a babbling model from slow arithmetic.
_MAX_LENGTH = 64


def _number(text: str) -> Decimal | None:
    percent = text.endswith("%")
    text = text.removesuffix("%").rstrip()
    if len(text) > _MAX_LENGTH or not _NUMBER.fullmatch(text):
        return None
    value = Decimal(text.replace(",", ""))
    return value / 100 if percent else value


def _near(prediction: str, answer: str) -> float:
    prediction, answer = one_spaced(prediction), one_spaced(answer)
    said, right = _number(prediction), _number(answer)
    if said is None or right is None:
        return float(prediction.lower() == answer.lower())
    # |said - right| / |right| <= 0.05, without the division.
    return float(abs(said - right) * 20 <= abs(right))


METRIC = Metric(
    name="relaxed_accuracy",
    summary="ChartQA's: a number may be 5 % off, other answers must be the same but for case",
    source="Masry et al., ChartQA, Findings of ACL 2022, section 5.1 (arXiv:2203.10244)",
    score=best_of(_near),
)
