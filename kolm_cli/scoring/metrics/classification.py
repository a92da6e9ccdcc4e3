"""Classification: the right one of a few labels, with F1 for each and a confusion table.

A row's score is 1 if the prediction is the label, case apart, else 0, so that accuracy is the share
of rows that are right. F1 of a label is that of Sokolova and Lapalme, "A systematic analysis of
performance measures for classification tasks", IPM 2009; macro F1 is its mean over all labels that
occur in answers, or over `labels`: a label that is never predicted has 0, as scikit-learn's
`f1_score(average="macro", labels=...)` gives it. What is no label is counted as `(other)`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from kolm_cli.scoring.metrics.base import (
    Metric,
    MetricOption,
    Said,
    Weights,
    best_of,
    comparable,
    f1,
)

MAX_LABELS = 1000
OTHER = "(other)"


def _label(text: str) -> str:
    return comparable(text).lower()


def _wrong_labels(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, list) or not 2 <= len(value) <= MAX_LABELS:
        return f"is not a list of 2 to {MAX_LABELS} labels"
    if not all(isinstance(label, str) and label.strip() for label in value):
        return "has a label that is no text"
    return "" if len({_label(label) for label in value}) == len(value) else "has a label twice"


LABELS = MetricOption(
    "labels", "every label that there is; without it, those of the answers", None, _wrong_labels
)


def _right(prediction: str, answer: str, *, labels: list[str] | None) -> float:
    if labels is not None and _label(answer) not in map(_label, labels):
        raise ValueError(f"the answer {answer!r:.60} is none of the metric's labels")
    return float(_label(prediction) == _label(answer))


def _over_all(rows: Sequence[Said], _: Weights, *, labels: list[str] | None) -> Mapping[str, Any]:
    """Macro F1, each label's figures, and how often which was taken for which."""
    pairs = []
    for prediction, answers in rows:
        said = OTHER if prediction is None else _label(prediction)
        # Of several accepted labels, the one that was said, else the first.
        pairs.append((said if said in map(_label, answers) else _label(answers[0]), said))
    known = set(map(_label, labels)) if labels else {right for right, _ in pairs}
    table = Counter((right, said if said in known else OTHER) for right, said in pairs)
    wanted, given = Counter[str](), Counter[str]()
    for (right, said), count in table.items():
        wanted[right] += count
        given[said] += count
    each = {
        label: {
            "rows": wanted[label],
            "precision": table[label, label] / given[label] if given[label] else 0.0,
            "recall": table[label, label] / wanted[label] if wanted[label] else 0.0,
            "f1": f1(table[label, label], given[label], wanted[label]),
        }
        for label in sorted(known)
    }
    confusion: dict[str, dict[str, int]] = {}
    for (right, said), count in sorted(table.items()):
        confusion.setdefault(right, {})[said] = count
    macro = sum(figures["f1"] for figures in each.values()) / len(each)
    return {"macro_f1": macro, "labels": each, "confusion": confusion}


METRIC = Metric(
    name="classification",
    summary="the right one of a few labels, case apart; with F1 for each and a confusion table",
    source="Sokolova and Lapalme, IPM 2009; scikit-learn's f1_score (macro)",
    score=best_of(_right),
    options=(LABELS,),
    details=_over_all,
)
