"""IoU at 0.5: a box is right when it overlaps the right one by at least one half.

Source: as RefCOCO is scored ("Acc@0.5"): Yu et al., "Modeling Context in Referring Expressions",
ECCV 2016 (arXiv:1608.00272), section 5. Boxes are paired, and counted, as for `iou`.
"""

from __future__ import annotations

from kolm_cli.scoring.boxes import boxes_in, boxes_of_answer, matched
from kolm_cli.scoring.metrics.base import Metric, best_of, comparable

THRESHOLD = 0.5


def _right(prediction: str, answer: str) -> float:
    right, said = boxes_of_answer(comparable(answer)), boxes_in(comparable(prediction))
    hits = sum(value >= THRESHOLD for value in matched(said, right))
    return hits / max(len(said), len(right))


METRIC = Metric(
    name="iou@0.5",
    summary="the share of boxes that overlap the right one by an IoU of at least 0.5",
    source="Yu et al., Modeling Context in Referring Expressions, ECCV 2016 (arXiv:1608.00272)",
    score=best_of(_right),
    boxes=True,
)
