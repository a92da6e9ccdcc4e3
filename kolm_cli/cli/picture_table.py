"""How large pictures come in, how large they are shown, and what they leave to the text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kolm_cli.pipeline.preflight import Preflight

SHOWN_LINES = 12


@dataclass(frozen=True)
class PictureLine:
    """All pictures of one size that are shown alike.

    Attributes:
        size: width and height of the originals, upright.
        shown: width and height at which the model sees them.
        tokens: tokens of each.
        images: how often such a picture is shown, in both sets.
        text_left: the fewest tokens that a row with such a picture leaves to text.
    """

    size: tuple[int, int]
    shown: tuple[int, int] | None
    tokens: int
    images: int
    text_left: int | None


def picture_lines(checked: Preflight) -> list[PictureLine]:
    """A line for each kind of picture, those with the most tokens first."""
    limits = checked.encoder.limits
    counts: dict[tuple[Any, ...], list[int]] = {}
    for row in (*checked.facts, *checked.asked):
        left = (limits.max_tokens or 0) - row.image_tokens
        for p in row.pictures:
            entry = counts.setdefault((-p.tokens, p.size, p.shown), [0, left])
            entry[0] += 1
            entry[1] = min(entry[1], left)
    return [
        PictureLine(size, shown, -tokens, images, left if limits.max_tokens else None)
        for (tokens, size, shown), (images, left) in sorted(
            counts.items(), key=lambda item: (item[0][0], str(item[0]))
        )
    ]


def picture_table(lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The lines as text, each kind of picture in a row; many of them end in a count."""
    if not lines:
        return
    yield f"{'pictures':<12} {'size':>11}  {'shown as':>11}  tokens  images  left to text"
    for line in lines[:SHOWN_LINES]:
        size, shown = (
            "unknown" if side is None else f"{side[0]} x {side[1]}"
            for side in (line["size"], line["shown"])
        )
        left = "any" if line["text_left"] is None else f"{line['text_left']:,}"
        yield (
            f"{'':<12} {size:>11}  {shown:>11}  {line['tokens']:>6,}  {line['images']:>6,}"
            f"  {left:>12}"
        )
    if len(lines) > SHOWN_LINES:
        rest = sum(line["images"] for line in lines[SHOWN_LINES:])
        yield f"{'':<12} and {rest:,} images of {len(lines) - SHOWN_LINES:,} other sizes"
