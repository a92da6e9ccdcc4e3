"""Which picture size would make rows fit that do not, found by trying without pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kolm_cli.core.errors import InputError
from kolm_cli.encoding.encoded import RowError
from kolm_cli.families.coordinates import Size
from kolm_cli.families.image_limits import ImageLimits
from kolm_cli.records.row import Row

if TYPE_CHECKING:
    from kolm_cli.encoding.encoder import Encoder

# Each trial counts the rows once: enough to come within a fiftieth of the largest size that fits.
TRIALS = 16
TRIED_ROWS = 8

# Rows that do not fit, with the sizes of their images, and whether they are only asked.
TooLong = tuple[Row, Sequence[Size], bool]


def fitting_limits(
    encoder: Encoder, sizes: Sequence[Size], fits: Callable[[Encoder], bool]
) -> ImageLimits | None:
    """The largest limits with which `fits` holds; None when no limit is needed, or none helps.

    Args:
        encoder: shows pictures as the spec says.
        sizes: width and height of the pictures that are shown smaller.
        fits: tries an encoder; a `RowError` is a no.
    """

    def tried(value: int | None) -> bool | None:
        """Whether they fit; None for a size that the processor cannot show at all."""
        smaller = replace(encoder, limits=replace(encoder.limits, fit=False))
        try:
            if value is not None:
                limits = ImageLimits.of({name: value})
                processor = encoder.family.limited(encoder.processor, limits)
                smaller = replace(smaller, processor=processor)
            return fits(smaller)
        except InputError:
            return None
        except RowError:
            return False

    sizing = encoder.family.image_sizing
    if sizing is None or not sizes or tried(None):
        return None
    name = sizing.largest
    shown = [encoder.shown(size) for size in sizes] + list(sizes)
    low, high, found = 1.0, float(max(_extent(size, name) for size in shown)), 0
    for _ in range(TRIALS):
        value = (low * high) ** 0.5
        answer = tried(int(value))
        if answer is False:
            high = value
        else:
            low = value
            found = int(value) if answer else found
    return ImageLimits.of({name: found}) if found else None


def _extent(size: Size, name: str) -> int:
    return size[0] * size[1] if name == "max_pixels" else max(size)


def advice(encoder: Encoder, rows: Sequence[TooLong]) -> str:
    """What to write for `data.images` so that `rows` fit; why nothing would, where no size helps.

    Args:
        encoder: encodes within the limits that the rows break.
        rows: rows whose images need too many tokens; those with the most pixels are tried.
    """
    if not rows:
        return ""
    if encoder.family.image_sizing is None:
        return (
            f"{encoder.family.name} shows every picture at one size: no data.images makes these"
            " rows fit; raise train.max_seq_length, or leave pictures out"
        )
    largest = sorted(rows, key=lambda row: -sum(w * h for w, h in row[1]))[:TRIED_ROWS]

    def fits(smaller: Encoder) -> bool:
        for row, sizes, prompt in largest:
            smaller.counted(row, sizes, prompt=prompt)
        return True

    limits = fitting_limits(encoder, [size for row in largest for size in row[1]], fits)
    if limits is None:
        return ""
    [(name, value)] = limits.given.items()
    return (
        f"write data.images: {{{name}: {value}}} to show pictures smaller, or"
        " data.images: {resize: fit} to shrink only those of rows that do not fit"
    )
