"""Boxes and points in a text, and how far two boxes agree.

`[x1, y1, x2, y2]`, `(x1, y1), (x2, y2)` and, for a point, `[x, y]` or `(x, y)`, wherever they are:
within JSON, in tags, in a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

Numbers = tuple[float, ...]

# More boxes than that are not compared: every one of a prediction meets every one of an answer.
MAX_BOXES = 128

# Bounded on all sides, so that a babbling model cannot make the search slow.
_NUMBER = r"\s{0,8}([-+]?\d{1,7}(?:\.\d{1,12})?)\s{0,8}"
_FOUND = re.compile(
    rf"\({_NUMBER},{_NUMBER}\)\s{{0,8}},\s{{0,8}}\({_NUMBER},{_NUMBER}\)"
    rf"|[\[(]{_NUMBER},{_NUMBER}(?:,{_NUMBER},{_NUMBER})?[\])]",
    re.ASCII,
)


def found_in(text: str) -> list[Numbers]:
    """Every box (four numbers) and every point (two) of a text, in its order."""
    return [
        tuple(float(group) for group in match.groups() if group is not None)
        for match in _FOUND.finditer(text)
    ]


def boxes_in(text: str) -> list[Numbers]:
    """Every box of a text; those of no area, or with their sides swapped, among them."""
    return [numbers for numbers in found_in(text) if len(numbers) == 4]


def iou(one: Numbers, other: Numbers) -> float:
    """Intersection over union of two boxes: 0 to 1, and 0 for a box without area."""
    left, top, right, bottom = one
    width = min(right, other[2]) - max(left, other[0])
    height = min(bottom, other[3]) - max(top, other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (one, other)]
    return both / (areas[0] + areas[1] - both)


def matched(said: Sequence[Numbers], right: Sequence[Numbers]) -> list[float]:
    """The IoU of each pair, when the boxes that agree most are paired first, and each once."""
    agreements = sorted(
        (
            (-value, i, j)
            for i, one in enumerate(said[:MAX_BOXES])
            for j, other in enumerate(right[:MAX_BOXES])
            if (value := iou(one, other)) > 0
        ),
    )
    taken_said: set[int] = set()
    taken_right: set[int] = set()
    pairs = []
    for value, i, j in agreements:
        if i not in taken_said and j not in taken_right:
            taken_said.add(i)
            taken_right.add(j)
            pairs.append(-value)
    return pairs


def boxes_of_answer(answer: str) -> list[Numbers]:
    """The boxes of an accepted answer.

    Raises:
        ValueError: it has none, or more than are compared: nothing can be scored against it.
    """
    found = boxes_in(answer)
    if not found:
        raise ValueError(f"the accepted answer {answer[:60]!r} holds no box [x1, y1, x2, y2]")
    if len(found) > MAX_BOXES:
        raise ValueError(f"an accepted answer holds {len(found)} boxes, more than {MAX_BOXES}")
    return found
