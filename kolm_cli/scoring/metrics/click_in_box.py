"""Click in box: the answer's point lies in the box that was meant.

Source: as ScreenSpot scores: Cheng et al., "SeeClick", ACL 2024 (arXiv:2401.10935), section 5. The
first point or box of the prediction counts, a box by its center; the edges belong to the box.
"""

from __future__ import annotations

from kolm_cli.scoring.boxes import boxes_of_answer, found_in
from kolm_cli.scoring.metrics.base import Metric, best_of, comparable


def _inside(prediction: str, answer: str) -> float:
    right, said = boxes_of_answer(comparable(answer)), found_in(comparable(prediction))
    if not said:
        return 0.0
    first = said[0]
    x, y = first if len(first) == 2 else ((first[0] + first[2]) / 2, (first[1] + first[3]) / 2)
    return float(any(x1 <= x <= x2 and y1 <= y <= y2 for x1, y1, x2, y2 in right))


METRIC = Metric(
    name="click_in_box",
    summary="the answer's point, or its box's center, lies in the right box",
    source="Cheng et al., SeeClick, ACL 2024 (arXiv:2401.10935), section 5",
    score=best_of(_inside),
    boxes=True,
)
