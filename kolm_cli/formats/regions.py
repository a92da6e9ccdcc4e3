r"""Boxes and points that a row carries, and the places in its texts where they go.

`<bbox>` stands for the next box or point and `<ref-object>` for the next name, as ms-swift writes
them, in the texts of questions and answers; `\<bbox>` is the text itself. The coordinates are in
`objects` (ms-swift's form) or in `boxes` (kolm's own), in pixels of the upright original, as shares
of its sides, or in thousandths of them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kolm_cli.formats.kinds import kind_of
from kolm_cli.records.conversation import (
    Box,
    Conversation,
    Message,
    Part,
    Reference,
    Text,
    tidy,
)
from kolm_cli.records.pair import Pair

if TYPE_CHECKING:
    from kolm_cli.formats.fields import Fields

KEYS = frozenset({"objects", "boxes", "boxes_in"})
BOX, NAME = "<bbox>", "<ref-object>"
FIX = f"write as many {BOX} as boxes and {NAME} as names; \\{BOX} is the text itself"

_MARKS = re.compile(r"(\\*)(<bbox>|<ref-object>)")
# What a number is a share of: 0 for pixels.
_UNITS = {"pixels": 0, "0-1": 1, "0-1000": 1000}
_SWIFT_UNITS = {"real": "pixels", "norm1": "0-1", "norm1000": "0-1000"}
_SWIFT_KEYS = frozenset({"ref", "bbox", "bbox_type", "image_id"})
# Annotation tools round to the next pixel or two beyond the edge.
_BEYOND = 2.0
_FIX = "write [left, top, right, bottom] or [x, y] in pixels of the stored picture, or its unit"
MAX_REGIONS = 4096


@dataclass(frozen=True)
class _Given:
    """What a row carries: coordinates with their images, and names, in order."""

    boxes: Sequence[Any] = ()
    images: Sequence[Any] = ()
    names: Sequence[Any] = ()
    unit: str = "pixels"
    key: str = "boxes"


def place(fields: Fields, pair: Pair, *, marked: bool) -> Pair:
    """The pair with its coordinates where its texts say; problems are noted.

    Args:
        fields: the row.
        pair: what the row's shape was read as.
        marked: the shape's texts may hold markers; in logs they are text.
    """
    given = _given(fields)
    messages = pair.conversation.messages
    if given is None or not marked:
        if given is not None and (given.boxes or given.names):
            fields.problem(
                f"the key {given.key!r} has no meaning in a logged call",
                "write rows of prompt, response and boxes",
                kind=f"refused-key:{given.key}",
            )
        return pair
    if any(_count(answer, mark) for answer in pair.answers for mark in (BOX, NAME)):
        fields.problem(
            f"answers: {BOX} is read in the response only",
            "write further boxes as text, [x1, y1, x2, y2] in pixels of the picture",
        )
    texts = [part.text for m in messages for part in m.parts if isinstance(part, Text)]
    for marker, what, count in (
        (BOX, "boxes", len(given.boxes)),
        (NAME, "names", len(given.names)),
    ):
        found = sum(_count(text, marker) for text in texts)
        if found != count:
            fields.problem(f"{found} {marker} markers for {count} {what}", FIX)
    if fields.problems:
        return pair
    boxes, names = iter(_boxes(fields, given, pair.conversation)), iter(_names(fields, given))
    placed = [replace(m, parts=tidy(list(_placed(m, boxes, names)))) for m in messages]
    if fields.problems:
        return pair
    return replace(pair, conversation=Conversation(tuple(placed)))


def _given(fields: Fields) -> _Given | None:
    """What the row says of coordinates; None after a problem."""
    record = fields.record
    found = []
    for key, read in (("objects", _swift), ("boxes", _own)):
        value = _parsed(record.get(key))
        if value in (None, [], {}):
            continue
        given = read(fields, value)
        if given is None:
            return None
        found.append(given)
    if len(found) > 1:
        fields.problem("has both 'objects' and 'boxes'", "keep one of them")
        return None
    if record.get("boxes_in") is not None and not (found and found[0].key == "boxes"):
        fields.problem("boxes_in without boxes", "remove it, or write boxes")
        return None
    given = found[0] if found else _Given()
    if max(len(given.boxes), len(given.names)) > MAX_REGIONS:
        fields.problem(f"more than {MAX_REGIONS} boxes in a row")
        return None
    return given


def _parsed(value: object) -> object:
    """A table may hold the value as JSON."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _swift(fields: Fields, value: object) -> _Given | None:
    """`{"ref": [...], "bbox": [...], "bbox_type": "real", "image_id": [...]}`."""
    if not isinstance(value, Mapping):
        fields.problem(f"objects: expected an object, found {kind_of(value)}")
        return None
    unknown = [key for key in value if key not in _SWIFT_KEYS and value[key] not in (None, [], {})]
    if unknown:
        fields.problem(
            f"objects: the key {unknown[0]!r} is not one that kolm reads",
            f"it reads {', '.join(sorted(_SWIFT_KEYS))}",
        )
        return None
    said = value.get("bbox_type") or "real"
    unit = _SWIFT_UNITS.get(said) if isinstance(said, str) else None
    if unit is None:
        fields.problem(
            f"objects.bbox_type: {said!r:.40} is not a unit", f"write {', '.join(_SWIFT_UNITS)}"
        )
        return None
    lists = {}
    for key in ("ref", "bbox", "image_id"):
        listed = value.get(key)
        listed = [] if listed is None else listed
        if not isinstance(listed, list | tuple):
            fields.problem(f"objects.{key}: expected a list, found {kind_of(listed)}")
            return None
        lists[key] = listed
    return _Given(lists["bbox"], lists["image_id"], lists["ref"], unit, "objects")


def _own(fields: Fields, value: object) -> _Given | None:
    """`[[x1, y1, x2, y2], {"box": [...], "image": 1}, ...]`, with `boxes_in` beside it."""
    if not isinstance(value, list | tuple):
        fields.problem(f"boxes: expected a list, found {kind_of(value)}")
        return None
    unit = fields.record.get("boxes_in") or "pixels"
    if not isinstance(unit, str) or unit not in _UNITS:
        fields.problem(f"boxes_in: {unit!r:.40} is not a unit", f"write {', '.join(_UNITS)}")
        return None
    boxes, images = [], []
    for index, item in enumerate(value):
        if isinstance(item, Mapping):
            extra = sorted(map(str, item.keys() - {"box", "image"}))
            if extra:
                fields.problem(f"boxes[{index}]: unknown key {extra[0]!r:.40}", "box and image")
            boxes.append(item.get("box"))
            images.append(item.get("image") or 0)
        else:
            boxes.append(item)
            images.append(0)
    return _Given(boxes, images, (), unit, "boxes")


def _boxes(fields: Fields, given: _Given, conversation: Conversation) -> Iterator[Box]:
    """Each of them in pixels of its image."""
    shown = conversation.images
    where = "objects.bbox" if given.key == "objects" else "boxes"
    if given.images and len(given.images) != len(given.boxes):
        fields.problem(f"{len(given.images)} image_ids for {len(given.boxes)} boxes")
        return
    images = given.images or [0] * len(given.boxes)
    for index, (values, image) in enumerate(zip(given.boxes, images, strict=True)):
        place = f"{where}[{index}]"
        if isinstance(image, bool) or not isinstance(image, int) or not 0 <= image < len(shown):
            what = f"{place}: the row has no image {image!r:.20}, counted from 0"
            fields.problem(what, f"write a number from 0 to {len(shown) - 1}" if shown else "")
            continue
        size = fields.size_of(shown[image])
        if size is None:
            return
        wrong, pixels = _pixels(values, _UNITS[given.unit], size)
        if wrong:
            fields.problem(f"{place}: {wrong}", _FIX)
        else:
            yield Box.at(pixels, image)


def _pixels(values: object, whole: int, size: tuple[int, int]) -> tuple[str, list[float]]:
    """What is wrong with the coordinates, or they in pixels of an image of this size."""
    if not isinstance(values, list | tuple) or len(values) not in (2, 4):
        return f"expected [x1, y1, x2, y2] or [x, y], found {kind_of(values)}", []
    numbers = []
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
            return f"expected numbers, found {kind_of(value)}", []
        numbers.append(float(value))
    pixels = [n * size[i % 2] / whole if whole else n for i, n in enumerate(numbers)]
    for index, value in enumerate(pixels):
        if not -_BEYOND <= value <= size[index % 2] + _BEYOND:
            unit = f" of {whole}" if whole else ""
            return (
                f"{list(values)}{unit} is outside its image of {size[0]} x {size[1]} pixels",
                [],
            )
    pixels = [min(max(0.0, v), float(size[i % 2])) for i, v in enumerate(pixels)]
    if len(pixels) == 4 and (pixels[0] >= pixels[2] or pixels[1] >= pixels[3]):
        return f"{list(values)} has no area", []
    return "", pixels


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _names(fields: Fields, given: _Given) -> Iterator[Reference]:
    for index, name in enumerate(given.names):
        text = fields.as_text(name, f"objects.ref[{index}]")
        if text:
            yield Reference(text)
        elif isinstance(name, str):
            fields.problem(f"objects.ref[{index}]: is empty")


def _count(text: str, marker: str) -> int:
    return sum(not match[1] and match[2] == marker for match in _MARKS.finditer(text))


def _placed(message: Message, boxes: Iterator[Box], names: Iterator[Reference]) -> Iterator[Part]:
    for part in message.parts:
        if not isinstance(part, Text):
            yield part
            continue
        at, text = 0, part.text
        for match in _MARKS.finditer(text):
            yield Text(text[at : match.start()])
            at = match.end()
            if match[1]:
                yield Text(match[1][1:] + match[2])
            # After a problem there may be none left; the row is refused.
            elif (found := next(boxes if match[2] == BOX else names, None)) is not None:
                yield found
        yield Text(text[at:])


# -- writing -------------------------------------------------------------------------------------


def taken_out(conversation: Conversation) -> tuple[Conversation, dict[str, Any]]:
    """The conversation with markers for its coordinates, and the `objects` beside it.

    Texts that only look like markers are escaped. `place` makes the same conversation of both.
    """
    boxes: list[Box] = []
    names: list[str] = []

    def taken(part: Part) -> Part:
        if isinstance(part, Box):
            boxes.append(part)
            return Text(BOX)
        if isinstance(part, Reference):
            names.append(part.text)
            return Text(NAME)
        return Text(_MARKS.sub(r"\\\g<0>", part.text)) if isinstance(part, Text) else part

    messages = tuple(
        replace(m, parts=tidy([taken(part) for part in m.parts])) for m in conversation.messages
    )
    if not boxes and not names:
        return Conversation(messages), {}
    objects: dict[str, Any] = {"ref": names, "bbox": [list(box.values) for box in boxes]}
    if any(box.image for box in boxes):
        objects["image_id"] = [box.image for box in boxes]
    return Conversation(messages), {"objects": objects}
