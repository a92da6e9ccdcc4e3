"""What a picture looks like, in so few bits that many can be compared: for near-duplicates.

A picture is shrunk to 17 x 16 grays, and each is compared with its right neighbor (a difference
hash): a copy that was saved again, or at another size, differs in a few of the 256 bits. Flat
pictures have none of them, so that a thumbnail of 4 x 4 colors has to be alike too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from PIL import Image

# Bits of 256 in which near-duplicates may differ, and their colors' mean difference, of 255.
MOST_BITS = 6
MOST_COLOR = 3.0
# A gray that is darker by less is the same: encoders leave noise in flat areas.
_STEP = 4
_WIDTH, _HEIGHT, _COLORS = 17, 16, 4
# Comparisons that are made for a warning; 10,000 pictures with 100,000 take a minute.
MOST_COMPARISONS = 1_000_000_000


def looks_of(image: Image.Image) -> str:
    """The bits and the thumbnail of a picture, in hex."""
    small = image.convert("L").resize((_WIDTH, _HEIGHT), Image.Resampling.BOX)
    gray = small.tobytes()
    bits = 0
    for row in range(_HEIGHT):
        for column in range(_WIDTH - 1):
            at = row * _WIDTH + column
            bits = bits << 1 | (gray[at] > gray[at + 1] + _STEP)
    colors = image.resize((_COLORS, _COLORS), Image.Resampling.BOX).tobytes()
    return f"{bits:064x}{colors.hex()}"


def alike(known: Sequence[str], asked: Sequence[str]) -> Iterator[tuple[int, int]]:
    """For each of `asked` that looks like one of `known`: its index, and that of the nearest.

    Only the first of `asked` are compared where there are more than can be.
    """
    import numpy as np

    if not known or not asked:
        return
    data = np.frombuffer(bytes.fromhex("".join(known)), np.uint8).reshape(len(known), -1)
    bits, colors = data[:, :32], data[:, 32:].astype(np.int16)
    words = np.ascontiguousarray(bits).view(np.uint64)
    for index, looks in enumerate(asked[: max(1, MOST_COMPARISONS // len(known))]):
        mine = np.frombuffer(bytes.fromhex(looks), np.uint8)
        apart = np.bitwise_count(words ^ np.ascontiguousarray(mine[:32]).view(np.uint64)).sum(1)
        near = np.flatnonzero(apart <= MOST_BITS)
        if len(near):
            differ = np.abs(colors[near] - mine[32:].astype(np.int16)).mean(1)
            near, differ = near[differ <= MOST_COLOR], differ[differ <= MOST_COLOR]
        if len(near):
            yield index, int(near[np.lexsort((differ, apart[near]))[0]])
