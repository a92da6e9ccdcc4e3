"""The tower's features of an image's views, laid out as the tokens that are projected."""

from __future__ import annotations

import math

import torch


def join_views(
    views: torch.Tensor,
    rows: int,
    columns: int,
    *,
    newline: torch.Tensor,
    separator: torch.Tensor,
) -> torch.Tensor:
    """One image's features: its tiles as one picture, a separator, the view of the whole.

    Args:
        views: [1 + rows * columns, patches, width], the whole view first, patches row by row.
        rows: of tiles.
        columns: of tiles.
        newline: [1, 1, 1, 4 * width], stands at the end of each row of either picture.
        separator: [1, 1, 4 * width].

    Returns:
        [tokens, 4 * width].
    """
    merged = merge_patches(views)
    _, side, _, width = merged.shape
    tiles = merged[1:].reshape(rows, columns, side, side, width).transpose(1, 2)
    picture = tiles.reshape(rows * side, columns * side, width)
    ends = newline.reshape(1, 1, width)
    return torch.cat(
        [_end_rows(picture, ends), separator.reshape(1, width), _end_rows(merged[0], ends)]
    )


def merge_patches(views: torch.Tensor) -> torch.Tensor:
    """Each two by two patches side by side in one feature, row by row.

    Args:
        views: [views, side * side, width].

    Returns:
        [views, side / 2, side / 2, 4 * width].
    """
    count, patches, width = views.shape
    half = math.isqrt(patches) // 2
    squares = views.reshape(count, half, 2, half, 2, width).transpose(2, 3)
    return squares.reshape(count, half, half, 4 * width)


def _end_rows(picture: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """[height, width, features] as [height * (width + 1), features], each row ended."""
    height = picture.shape[0]
    return torch.cat([picture, ends.expand(height, 1, -1)], dim=1).flatten(0, 1)
