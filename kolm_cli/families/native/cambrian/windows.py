"""A picture's features on a grid: what is the picture, what its border, and each query's window."""

from __future__ import annotations

import math

import torch


def content_box(height: int, width: int, side: int) -> tuple[int, int, int, int]:
    """Where the picture lies on a square grid that its longer side fills.

    Args:
        height: of the picture, pixels.
        width: of the picture, pixels.
        side: of the grid.

    Returns:
        first row, row after the last, first column, column after the last.
    """
    if width > height:
        border = (side - max(1, int(height * (side / width)))) // 2
        return border, side - border, 0, side
    border = (side - max(1, int(width * (side / height)))) // 2
    return 0, side, border, side - border


def split_windows(features: torch.Tensor, side: int) -> torch.Tensor:
    """Features by the query that looks at them.

    Args:
        features: [grid * grid, width] or [grid * grid], row by row.
        side: of the grid of queries; divides the grid.

    Returns:
        [side, side, features of a window, width], or without the last.
    """
    factor = math.isqrt(features.shape[0]) // side
    grid = features.reshape(side, factor, side, factor, *features.shape[1:])
    return grid.transpose(1, 2).flatten(2, 3)


def seen_windows(box: tuple[int, int, int, int], grid: int, side: int) -> torch.Tensor:
    """Which features of each window are the picture: a window of border only sees all of it.

    Args:
        box: as `content_box` gives it, on `grid`.
        grid: side of the features' grid.
        side: of the grid of queries.

    Returns:
        [side, side, features of a window], boolean.
    """
    top, bottom, left, right = box
    inside = torch.zeros(grid, grid, dtype=torch.bool)
    inside[top:bottom, left:right] = True
    windows = split_windows(inside.flatten(), side)
    return windows | ~windows.any(-1, keepdim=True)
