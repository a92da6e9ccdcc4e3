"""How a family's models write boxes and points: the grid, and the text around the numbers.

Each has the source in which the family's authors say so. A family without one has no convention,
and rows with boxes are refused: numbers in another convention would teach other places.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from kolm_cli.core.digests import sha256_bytes
from kolm_cli.records.conversation import coordinates_text

Size = tuple[int, int]

_FIELD = re.compile(r"\{(x1|y1|x2|y2|x|y)(?::[^}]*)?\}")
# What a model writes may have decimals, or a sign, that no training row had.
_NUMBER = r"\s{0,4}(?P<%s>-?\d{1,7}(?:\.\d{1,6})?)\s{0,4}"
_ORDER = {4: ("x1", "y1", "x2", "y2"), 2: ("x", "y")}


@dataclass(frozen=True)
class Coordinates:
    """A family's convention.

    Attributes:
        name: what it is called in the receipt.
        source: where the family's authors state it.
        box: how a box is written, with the fields x1, y1, x2 and y2.
        point: how a point is written, with x and y; empty where the source does not say.
        grid: the numbers run from 0 to this over a side of the picture; 0 for pixels of the
            picture as it is shown.
        last: the largest number that can be written; None for the end of the grid.
        reference: how the name of a located object is written.
    """

    name: str
    source: str
    box: str
    point: str = ""
    grid: int = 0
    last: int | None = None
    reference: str = "{name}"

    def write(self, values: Sequence[float], picture: Size, shown: Size) -> str:
        """A box or point of the upright original in this convention.

        Args:
            values: four numbers of a box or two of a point, in pixels of the original.
            picture: width and height of the original.
            shown: width and height of the picture as the model sees it.

        Raises:
            ValueError: the convention has no points.
        """
        form = self.box if len(values) == 4 else self.point
        if not form:
            raise ValueError("its convention has boxes and no points")
        numbers = []
        for index, value in enumerate(values):
            side, end = picture[index % 2], self.grid or shown[index % 2]
            highest = end if self.last is None else self.last
            # Half up: Python's own rounding goes to the even number.
            numbers.append(min(highest, max(0, int(value * end / side + 0.5))))
        return form.format(**dict(zip(_ORDER[len(values)], numbers, strict=True)))

    def read(self, text: str, sizes: Callable[[int], tuple[Size, Size]]) -> str:
        """A model's text with every box and point in pixels of the original.

        Args:
            text: what the model wrote.
            sizes: of the picture that the n-th box or point is about: the original's width and
                height, and those of the picture as it is shown.
        """
        count = 0

        def original(match: re.Match[str]) -> str:
            nonlocal count
            picture, shown = sizes(count)
            count += 1
            found = {k.rstrip("_"): v for k, v in match.groupdict().items() if v is not None}
            names = _ORDER[len(found)]
            return coordinates_text(
                [
                    float(found[name]) * picture[i % 2] / (self.grid or shown[i % 2])
                    for i, name in enumerate(names)
                ]
            )

        return self._written.sub(original, text)

    @cached_property
    def _written(self) -> re.Pattern[str]:
        """What `write` writes, with any numbers."""
        forms = [form for form in (self.box, self.point) if form]
        return re.compile("|".join(map(_pattern, forms)), re.ASCII)

    @property
    def digest(self) -> str:
        """Names what is written: another convention makes other rows."""
        parts = (self.box, self.point, str(self.grid), str(self.last), self.reference)
        return sha256_bytes("\n".join(parts).encode())


def _pattern(form: str) -> str:
    """A regular expression for a form; spaces in it are optional."""
    pattern, at = "", 0
    for match in _FIELD.finditer(form):
        pattern += _literal(form[at : match.start()]) + _NUMBER % match[1]
        at = match.end()
    return pattern + _literal(form[at:])


def _literal(text: str) -> str:
    return re.escape(text).replace(r"\ ", r"\s{0,4}")


QWEN2_VL = Coordinates(
    name="0-1000",
    source="Qwen2-VL (arXiv:2409.12191), section 2.2, Visual Grounding",
    box="<|box_start|>({x1},{y1}),({x2},{y2})<|box_end|>",
    point="<|box_start|>({x},{y})<|box_end|>",
    grid=1000,
    reference="<|object_ref_start|>{name}<|object_ref_end|>",
)
QWEN2_5_VL = Coordinates(
    name="pixels of the picture as shown",
    source="Qwen2.5-VL (arXiv:2502.13923), section 2.2.1, absolute position coordinates",
    box="[{x1}, {y1}, {x2}, {y2}]",
    point="[{x}, {y}]",
)
QWEN3_VL = Coordinates(
    name="0-1000",
    source="Qwen3-VL (arXiv:2511.21631), section 3.2; its spatial_understanding cookbook",
    box="[{x1}, {y1}, {x2}, {y2}]",
    point="[{x}, {y}]",
    grid=1000,
)
INTERNVL = Coordinates(
    name="0-1000",
    source="InternVL's documentation, Chat Data Format, Grounding / Detection Data",
    box="<box>[[{x1}, {y1}, {x2}, {y2}]]</box>",
    grid=1000,
    reference="<ref>{name}</ref>",
)
PALIGEMMA = Coordinates(
    name="0-1023, top and left first",
    source="PaliGemma (arXiv:2407.07726), section 3.2: location tokens in 1024 bins",
    box="<loc{y1:04d}><loc{x1:04d}><loc{y2:04d}><loc{x2:04d}>",
    grid=1024,
    last=1023,
)
