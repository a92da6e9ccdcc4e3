"""IoU: how far the boxes of an answer lie where they should.

Source: Everingham et al., "The PASCAL Visual Object Classes Challenge", IJCV 2010, section 4.2
(area of overlap over area of union). The boxes that agree most are paired, each once; the sum over
the pairs is divided by the larger number of boxes, so that a missing box and one too many cost
alike. With one box, it is its IoU.
"""

from __future__ import annotations

from kolm_cli.scoring.boxes import boxes_in, boxes_of_answer, matched
from kolm_cli.scoring.metrics.base import Metric, best_of, comparable


def _agreement(prediction: str, answer: str) -> float:
    right, said = boxes_of_answer(comparable(answer)), boxes_in(comparable(prediction))
    return min(1.0, sum(matched(said, right)) / max(len(said), len(right)))


METRIC = Metric(
    name="iou",
    summary="how far boxes agree: intersection over union, the mean over the boxes of an answer",
    source="Everingham et al., The PASCAL VOC Challenge, IJCV 2010, section 4.2",
    score=best_of(_agreement),
    boxes=True,
)
