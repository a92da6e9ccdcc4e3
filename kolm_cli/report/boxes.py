"""Boxes and points on the pictures of a report: what is right, and what was answered.

They are drawn where their numbers are pixels of the originals: the metric compares boxes, the
base's family has a convention for them, and the row says which picture each is of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kolm_cli.records.conversation import Conversation
from kolm_cli.records.row import Row
from kolm_cli.scoring.boxes import Numbers, found_in
from kolm_cli.scoring.metrics.base import ChosenMetric
from kolm_cli.scoring.metrics.weighted import compares_boxes

Size = tuple[int, int]
# Who says where; a line of its own for each, so that they are told apart without color.
WHO: Mapping[str, str] = {"right": "right", "adapter": "adapter", "base": "base"}
MOST_BOXES = 64
_LISTED = 6


@dataclass(frozen=True)
class Mark:
    """A box or a point on a picture, in its pixels.

    Attributes:
        who: one of `WHO`.
        path: the SVG path that shows it.
        numbers: as it was written.
        outside: whether nothing of it is on the picture.
    """

    who: str
    path: str
    numbers: Numbers
    outside: bool


def are_shown(metric: ChosenMetric, row: Row, coordinates: object) -> bool:
    """Whether the numbers of a row's answers are known to be pixels of its pictures.

    Args:
        metric: that of the row.
        row: the row, with its own answer.
        coordinates: the convention that the receipt names; nothing when it names none.
    """
    answer = Conversation(row.conversation.messages[-1:])
    return bool(coordinates) and bool(answer.boxes) and compares_boxes(metric)


def marks_of(
    row: Row, sizes: Mapping[int, Size], said: Mapping[str, str | None]
) -> dict[int, list[Mark]]:
    """The marks of each picture of a row.

    Args:
        row: the row, whose own answer has boxes.
        sizes: width and height of the pictures that are shown, by their place in the row.
        said: the answers, by who gave them.
    """
    right = Conversation(row.conversation.messages[-1:]).boxes
    places = [box.image for box in right]
    found: dict[int, list[Mark]] = {place: [] for place in sizes}

    def mark(who: str, place: int, numbers: Numbers) -> None:
        if place in sizes:
            found[place].append(_mark(who, numbers, sizes[place]))

    for box in right[:MOST_BOXES]:
        mark("right", box.image, box.values)
    for who, text in said.items():
        for number, numbers in enumerate(found_in(text or "")[:MOST_BOXES]):
            # The n-th box is one of the picture of the n-th box of the accepted answer.
            mark(who, places[min(number, len(places) - 1)], numbers)
    return found


def words(marks: Sequence[Mark]) -> list[tuple[str, str]]:
    """The key beside a picture: for each who says where, in words."""
    lines = []
    for who, word in WHO.items():
        own = [one for one in marks if one.who == who]
        note = "" if own else " (no box)"
        if own and all(one.outside for one in own):
            note = " (outside of the picture)"
        lines.append((who, f"{word}{note}"))
    return lines


def spoken(marks: Sequence[Mark]) -> str:
    """The marks for who does not see them."""
    parts = []
    for who, word in WHO.items():
        own = [str(list(one.numbers)) for one in marks if one.who == who]
        if own:
            more = f" and {len(own) - _LISTED} more" if own[_LISTED:] else ""
            parts.append(f"{word} {', '.join(own[:_LISTED])}{more}")
    return "; ".join(parts)


def _mark(who: str, numbers: Numbers, size: Size) -> Mark:
    width, height = size
    if len(numbers) == 2:
        x, y = numbers
        reach = max(width, height) * 0.04
        outside = not (0 <= x <= width and 0 <= y <= height)
        if who == "adapter":
            path = f"M{_n(x - reach)} {_n(y - reach)}L{_n(x + reach)} {_n(y + reach)}"
            path += f"M{_n(x - reach)} {_n(y + reach)}L{_n(x + reach)} {_n(y - reach)}"
        else:
            path = f"M{_n(x - reach)} {_n(y)}H{_n(x + reach)}"
            path += f"M{_n(x)} {_n(y - reach)}V{_n(y + reach)}"
        return Mark(who, path, numbers, outside)
    left, right = sorted((numbers[0], numbers[2]))
    top, bottom = sorted((numbers[1], numbers[3]))
    outside = right < 0 or bottom < 0 or left > width or top > height
    path = f"M{_n(left)} {_n(top)}H{_n(right)}V{_n(bottom)}H{_n(left)}Z"
    return Mark(who, path, numbers, outside)


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
