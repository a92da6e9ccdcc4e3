"""Phi-3-vision's images again, as slowly as can be: loops over pixels and patches, no views."""

from __future__ import annotations

import math

import torch
from PIL import Image


def tiles_of(width: int, height: int, most: int) -> tuple[int, int]:
    """Rows and columns of tiles, by trying every scale that could fit."""
    ratio = max(width, height) / min(width, height)
    fitting = [long for long in range(1, most + 1) if long * math.ceil(long / ratio) <= most]
    long = max(fitting)
    across = math.ceil(max(1, math.floor(long * 336 / ratio)) / 336)
    return (long, across) if width < height else (across, long)


def views(image: Image.Image, most: int, tile: int, mean: float, std: float) -> torch.Tensor:
    """The tiles, pixel by pixel: [tiles, 3, tile, tile], without the whole view."""
    width, height = image.size
    ratio = max(width, height) / min(width, height)
    long = max(n for n in range(1, most + 1) if n * math.ceil(n / ratio) <= most)
    short = max(1, math.floor(long * tile / ratio))
    # Mirrored along the diagonal, scaled, and mirrored back, as the published code does.
    upright = width < height
    if upright:
        image = image.transpose(Image.Transpose.TRANSPOSE)
    image = image.resize((long * tile, short), Image.Resampling.BILINEAR)
    across = math.ceil(short / tile)
    above = (across * tile - short) // 2
    rows, columns = (long, across) if upright else (across, long)
    found = torch.zeros(rows * columns, 3, tile, tile)
    for y in range(rows * tile):
        for x in range(columns * tile):
            along, down = (y, x) if upright else (x, y)
            inside = above <= down < above + short
            color = image.getpixel((along, down - above)) if inside else (255, 255, 255)
            assert isinstance(color, tuple)
            which = (y // tile) * columns + x // tile
            for channel in range(3):
                found[which, channel, y % tile, x % tile] = (color[channel] / 255 - mean) / std
    return found


def join(
    features: torch.Tensor,
    rows: int,
    columns: int,
    newline: torch.Tensor,
    separator: torch.Tensor,
) -> torch.Tensor:
    """One image's features in the order of its tokens, one by one.

    Args:
        features: [1 + rows * columns, patches, width], the whole view first.
        rows: of tiles.
        columns: of tiles.
        newline: [4 * width].
        separator: [4 * width].

    Returns:
        [tokens, 4 * width].
    """
    side = math.isqrt(features.shape[1])
    half = side // 2

    def square(view: int, y: int, x: int) -> torch.Tensor:
        parts = []
        for down in (0, 1):
            for right in (0, 1):
                parts.append(features[view, (2 * y + down) * side + 2 * x + right])
        return torch.cat(parts)

    tokens = []
    for y in range(rows * half):
        for x in range(columns * half):
            view = 1 + (y // half) * columns + x // half
            tokens.append(square(view, y % half, x % half))
        tokens.append(newline)
    tokens.append(separator)
    for y in range(half):
        for x in range(half):
            tokens.append(square(0, y, x))
        tokens.append(newline)
    return torch.stack(tokens)
