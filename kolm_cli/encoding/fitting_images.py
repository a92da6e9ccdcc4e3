"""Which picture size would make rows fit that do not: what to write, found by trying."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

from kolm_cli.core.errors import InputError
from kolm_cli.encoding.encoded import RowError
from kolm_cli.encoding.encoder import Encoder
from kolm_cli.encoding.open_images import open_images
from kolm_cli.families.image_limits import ImageLimits, LimitName
from kolm_cli.records.row import Row

# Each trial encodes the rows: enough to come within a tenth of the largest size that fits.
TRIALS = 12
TRIED_ROWS = 3


def advice(encoder: Encoder, rows: Sequence[Row]) -> str:
    """What to write for `data.images` so that `rows` fit; empty when no size would help.

    Args:
        encoder: encodes within the limits that the rows break.
        rows: rows whose images need too many tokens; a few of the worst are enough.
    """
    sizing = encoder.family.image_sizing
    names: list[LimitName] = [n for n in (sizing.takes if sizing else ()) if n != "min_pixels"]
    if not names or not rows:
        return ""
    [name] = names
    tried = rows[:TRIED_ROWS]
    sizes = [image.size for row in tried for image in open_images(row)]
    largest = max((w * h if name == "max_pixels" else max(w, h)) for w, h in sizes)
    low, high, found = 1.0, float(largest), 0
    for _ in range(TRIALS):
        value = (low * high) ** 0.5
        fits = _fit(encoder, tried, name, int(value))
        if fits is False:
            high = value
        else:
            low = value
            found = int(value) if fits else found
    return f"data.images: {{{name}: {found}}}" if found else ""


def _fit(encoder: Encoder, rows: Sequence[Row], name: LimitName, value: int) -> bool | None:
    """Whether the rows fit; None for a size that the processor cannot show at all."""
    smaller = replace(encoder, processor=copy.deepcopy(encoder.processor))
    try:
        encoder.family.limit_images(smaller.processor, ImageLimits(**{name: value}))
    except InputError:
        return None
    try:
        for row in rows:
            smaller.training(row)
    except RowError:
        return False
    return True
