"""Relaxed accuracy, as ChartQA scores: numbers may be 5 % off, all else must be the same.

Source: Masry et al., "ChartQA", Findings of ACL 2022, section 5.1 (arXiv:2203.10244), after
Methani et al., "PlotQA", WACV 2020. The widely used evaluator is the one of Pix2Struct
(`relaxed_correctness`), and this gives its results: `25%` is the number 0.25, and what is not two
numbers is compared as text without regard to case. It differs on purpose in four points:

- thousands separators are read (`1,234` is 1234), white space around an answer is not;
- an answer of zero is a number too: `0.0` is right for `0`, and nothing else is near it;
- `nan`, `inf` and `1_000`, which Python's `float` reads, are text;
- the arithmetic is decimal, so that 0.315 is exactly 5 % off 0.3, and accepted.

The 5 % are ChartQA's; another pack may need another `tolerance`: 0 for counts and years.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

from kolm_cli.scoring.metrics.base import Metric, MetricOption, best_of, comparable

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


def wrong_share(value: Any) -> str:
    """What is wrong with an option that is a share."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return "is not a share from 0 to 1"
    return ""


TOLERANCE = MetricOption(
    name="tolerance",
    summary="how far off a number may be, as a share of the right one: 0 to 1",
    default=0.05,
    wrong=wrong_share,
)


def _near(prediction: str, answer: str, *, tolerance: float = TOLERANCE.default) -> float:
    prediction, answer = comparable(prediction), comparable(answer)
    said, right = _number(prediction), _number(answer)
    if said is None or right is None:
        return float(prediction.lower() == answer.lower())
    # |said - right| / |right| <= tolerance in whole numbers: 0.05 is 1 / 20, not a binary float.
    share = Fraction(repr(tolerance))
    return float(abs(said - right) * share.denominator <= abs(right) * share.numerator)


METRIC = Metric(
    name="relaxed_accuracy",
    summary="ChartQA's: a number may be 5 % off, other answers must be the same but for case",
    source="Masry et al., ChartQA, Findings of ACL 2022, section 5.1 (arXiv:2203.10244)",
    score=best_of(_near),
    options=(TOLERANCE,),
)
