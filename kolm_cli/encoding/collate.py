"""Batches: pad the sequences, join the images, and mark where the loss looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch.nn import functional

from kolm_cli.encoding.base_processor import BaseProcessor
from kolm_cli.encoding.encoded import IGNORE, Encoded
from kolm_cli.families.base import Family


def collate(
    base: BaseProcessor, rows: Sequence[Encoded], *, side: Literal["left", "right"]
) -> dict[str, torch.Tensor]:
    """Batch encoded rows.

    Returns:
        `input_ids`, `attention_mask` and the family's other sequences [batch, tokens]; the image
        tensors, joined along their first dimension and zero-padded in the others; and, when the
        rows carry labels, `labels` [batch, tokens] and the boolean `logits_to_keep`
        [batch, tokens]: the positions whose next token is supervised. Padding is masked by
        `attention_mask`, never by the pad id, which some tokenizers share with the end token.
    """
    width = max(row.tokens for row in rows)
    fill = {"input_ids": base.pad_id}
    batch = {
        key: _pad([row.sequence[key] for row in rows], width, fill.get(key, 0), side)
        for key in rows[0].sequence
    }
    images = _join_images(base.family, rows)
    base.family.finish_images(images)
    batch.update(images)
    if rows[0].labels is not None:
        labels = [row.labels for row in rows if row.labels is not None]
        batch["labels"] = _pad(labels, width, IGNORE, side)
        keep = torch.zeros_like(batch["labels"], dtype=torch.bool)
        keep[:, :-1] = batch["labels"][:, 1:] != IGNORE
        batch["logits_to_keep"] = keep
    return batch


def _pad(
    tensors: Sequence[torch.Tensor], width: int, value: int, side: Literal["left", "right"]
) -> torch.Tensor:
    """Stack [tokens] tensors as [batch, width]."""
    rows = []
    for tensor in tensors:
        missing = width - tensor.shape[0]
        shape = (missing, 0) if side == "left" else (0, missing)
        rows.append(functional.pad(tensor, shape, value=value))
    return torch.stack(rows)


def _join_images(family: Family, rows: Sequence[Encoded]) -> dict[str, torch.Tensor]:
    """Concatenate along the first dimension; the others are padded to the largest.

    Crops beyond an image's own are padding, which models skip by `image_sizes`; rows without
    images add nothing.
    """
    keys = list(dict.fromkeys(key for row in rows for key in row.images))
    joined = {}
    for key in keys:
        example = next(row.images[key] for row in rows if key in row.images)
        found = [row.images.get(key) for row in rows]
        tensors = [tensor for tensor in found if tensor is not None]
        largest = [max(t.shape[d] for t in tensors) for d in range(1, example.dim())]
        fill = family.image_fill.get(key, 0)
        joined[key] = torch.cat([_grow(tensor, largest, fill) for tensor in tensors])
    return joined


def _grow(tensor: torch.Tensor, shape: Sequence[int], fill: float) -> torch.Tensor:
    """Pad all dimensions but the first, at their ends, to `shape`."""
    padding: list[int] = []
    for have, want in zip(reversed(tensor.shape[1:]), reversed(shape), strict=True):
        padding += [0, want - have]
    return functional.pad(tensor, padding, value=fill) if any(padding) else tensor


def to_device(batch: Mapping[str, torch.Tensor], device: torch.device) -> dict[str, torch.Tensor]:
    """The batch with every tensor on `device`."""
    return {key: value.to(device) for key, value in batch.items()}
