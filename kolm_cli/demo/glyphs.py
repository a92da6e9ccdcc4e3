"""The letters on the charts, as bitmaps.

They are drawn here and not with a font, since a font rasteriser's pixels change with its version,
and the charts must be the same on every machine.
"""

from functools import cache

from PIL import Image

LETTERS = "ABCDEFGH"

_SCALE = 3  # pixels a dot: 7 rows of dots give letters 21 px high

_ROWS = {
    "A": ("01110", "10001", "10001", "11111", "10001", "10001", "10001"),
    "B": ("11110", "10001", "10001", "11110", "10001", "10001", "11110"),
    "C": ("01111", "10000", "10000", "10000", "10000", "10000", "01111"),
    "D": ("11100", "10010", "10001", "10001", "10001", "10010", "11100"),
    "E": ("11111", "10000", "10000", "11110", "10000", "10000", "11111"),
    "F": ("11111", "10000", "10000", "11110", "10000", "10000", "10000"),
    "G": ("01111", "10000", "10000", "10111", "10001", "10001", "01110"),
    "H": ("10001", "10001", "10001", "11111", "10001", "10001", "10001"),
}

WIDTH = 5 * _SCALE
HEIGHT = 7 * _SCALE


@cache
def glyph(letter: str) -> Image.Image:
    """A mask of mode "L", `WIDTH` by `HEIGHT` pixels, 255 where the letter's ink is.

    Raises:
        KeyError: the letter is not one of `LETTERS`.
    """
    rows = _ROWS[letter]
    dots = bytes(255 * int(dot) for row in rows for dot in row)
    small = Image.frombytes("L", (5, 7), dots)
    return small.resize((WIDTH, HEIGHT), Image.Resampling.NEAREST)
