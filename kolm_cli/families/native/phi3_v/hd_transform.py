"""The HD transform's arithmetic: how many tiles an image gets, and what it costs in tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """How an image is scaled and cut.

    Attributes:
        width: to scale the image to, pixels.
        height: to scale the image to, pixels.
        rows: of tiles.
        columns: of tiles.
        transposed: the image is upright: it is transposed first, and back afterwards. `width` and
            `height` are those between the two, `rows` and `columns` those of the result.
    """

    width: int
    height: int
    rows: int
    columns: int
    transposed: bool


def lay_out(width: int, height: int, *, tile: int, most: int) -> Layout:
    """The largest scale at which the image covers at most `most` square tiles.

    The image's longer side becomes a whole number of tiles; the shorter one keeps the aspect
    ratio and is padded to whole tiles.

    Args:
        width: of the image, pixels.
        height: of the image, pixels.
        tile: side of a tile, pixels.
        most: how many tiles the image may have.
    """
    transposed = width < height
    ratio = height / width if transposed else width / height
    long = 1
    while (long + 1) * math.ceil((long + 1) / ratio) <= most:
        long += 1
    scaled = long * tile
    short = max(1, int(scaled / ratio))
    across = math.ceil(short / tile)
    rows, columns = (long, across) if transposed else (across, long)
    return Layout(scaled, short, rows, columns, transposed)


def count_tokens(rows: int, columns: int, per_tile: int) -> int:
    """How many tokens an image becomes.

    The tiles' and the whole view's features, a newline after each of their rows, and a separator
    between the two.

    Args:
        rows: of tiles.
        columns: of tiles.
        per_tile: tokens of one tile, a square number.
    """
    side = math.isqrt(per_tile)
    return (rows * columns + 1) * per_tile + (rows + 1) * side + 1
