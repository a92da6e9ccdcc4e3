"""Cambrian's connector again, as slowly as can be: one query, one feature, one head at a time."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional


def rows_and_columns(height: int, width: int, side: int) -> tuple[list[int], list[int]]:
    """The rows and columns of a square grid that are the picture and not its border."""
    every = list(range(side))
    if width > height:
        content = max(1, math.floor(height * (side / width)))
        border = (side - content) // 2
        return every[border : side - border], every
    content = max(1, math.floor(width * (side / height)))
    border = (side - content) // 2
    return every, every[border : side - border]


def _norm(module: Any, vector: torch.Tensor) -> torch.Tensor:
    centered = vector - vector.mean()
    spread = (centered.pow(2).mean() + module.eps).sqrt()
    return centered / spread * module.weight + module.bias


def _project(module: Any, vector: torch.Tensor) -> torch.Tensor:
    return module[1].weight @ _norm(module[0], vector)


def look(
    layer: Any,
    query: torch.Tensor,
    context: torch.Tensor,
    windows: list[list[torch.Tensor]],
    seen: list[list[bool]],
) -> torch.Tensor:
    """One layer of a sampler for one query; vectors in, a vector out."""
    asked = layer.proj_in.weight @ torch.cat([query, layer.proj_context.weight @ context])
    attention = layer.cross_attn
    keys, values = [], []
    for index, window in enumerate(windows):
        for place, feature in enumerate(window):
            if not seen[index][place]:
                continue
            if len(window) > 1:
                feature = feature + getattr(layer, f"pos_embed_{index}")[place]
            keys.append(_project(getattr(attention, f"k_proj_{index}"), feature))
            values.append(_project(getattr(attention, f"v_proj_{index}"), feature))
    question = _project(attention.q_proj, asked)
    size = len(question) // attention.heads
    heads = []
    for head in range(attention.heads):
        part = slice(head * size, (head + 1) * size)
        scores = [float(question[part] @ key[part]) / math.sqrt(size) for key in keys]
        weights = torch.tensor(scores).softmax(0)
        heads.append(sum(w * value[part] for w, value in zip(weights, values, strict=True)))
    found = _norm(layer.norm, asked + attention.o_proj.weight @ torch.cat(heads))
    hidden = functional.gelu(layer.proj_out.linear_1.weight @ found)
    return query + layer.proj_out.linear_2.weight @ hidden


def sample(
    sampler: nn.Module,
    queries: dict[tuple[int, int], torch.Tensor],
    features: list[torch.Tensor],
    size: tuple[int, int],
    side: int,
) -> dict[tuple[int, int], torch.Tensor]:
    """What each query, by its row and column, finds in one picture.

    Args:
        sampler: the sampler.
        queries: the queries' vectors.
        features: of each encoder [grid * grid, width], after its projector.
        size: height and width of the picture, pixels.
        side: of the grid of queries.
    """
    found = {}
    for (y, x), query in queries.items():
        windows, seen = [], []
        for encoder in features:
            grid = math.isqrt(len(encoder))
            factor = grid // side
            rows, columns = rows_and_columns(*size, grid)
            window, visible = [], []
            for down in range(factor):
                for right in range(factor):
                    row, column = y * factor + down, x * factor + right
                    window.append(encoder[row * grid + column])
                    visible.append(row in rows and column in columns)
            windows.append(window)
            seen.append(visible if any(visible) else [True] * len(visible))
        answer, context = query, features[0].mean(0)
        for layer in sampler.layers:  # type: ignore[union-attr]
            answer = look(layer, answer, context, windows, seen)
        found[y, x] = answer
    return found


def tokens(model: Any, features: list[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
    """One picture's tokens before the language model: [tokens, hidden size]."""
    side = model.side
    every = {(y, x): model.vision_query[0] for y in range(side) for x in range(side)}
    found = sample(model.vision_sampler_0, every, features, size, side)
    rows, columns = rows_and_columns(*size, side)
    first, last = model.mm_projector[0], model.mm_projector[2]
    out = []
    for y in rows:
        for x in columns:
            hidden = functional.gelu(first.weight @ found[y, x] + first.bias)
            out.append(last.weight @ hidden + last.bias)
        out.append(model.image_newline)
    return torch.stack(out)
