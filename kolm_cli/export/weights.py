"""Trained tensors put into the base's weight files, one output file in memory at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.export.base import File, Source
from kolm_cli.export.checkpoint import INDEX, SINGLE, Stored, read_checkpoint
from kolm_cli.trainer.merged import Trained

# What Hugging Face's own tools write at most.
SHARD_BYTES = 5_000_000_000
_METADATA = {"format": "pt"}


@dataclass
class Shard:
    """The tensors of one output file; a file of the base is never held together with another."""

    held: list[Stored] = field(default_factory=list)
    bytes: int = 0


def merged_files(source: Source) -> Iterator[File]:
    """The whole model's weight files, and their index."""
    dtype = getattr(torch, source.dtype)
    trained, stored = Trained.read(source.adapter), read_checkpoint(source.base)
    shards = _plan(stored, dtype.itemsize)
    where: dict[str, str] = {}
    for number, shard in enumerate(shards, 1):
        name = SINGLE if len(shards) == 1 else f"model-{number:05}-of-{len(shards):05}.safetensors"
        where |= {tensor.key: name for tensor in shard.held}
        yield File(name, _Writer(shard.held, trained, dtype))
    if len(shards) > 1:
        total = sum(shard.bytes for shard in shards)
        yield index_file(INDEX, where, total)


@dataclass(frozen=True)
class _Writer:
    tensors: Sequence[Stored]
    trained: Trained
    dtype: torch.dtype

    def __call__(self, path: Path) -> None:
        [file] = {tensor.file for tensor in self.tensors}
        names = self.trained.names()
        with safe_open(file, framework="pt") as opened:
            made = {}
            for tensor in self.tensors:
                value: torch.Tensor = opened.get_tensor(tensor.key)
                if tensor.parameter in names:
                    value = self.trained.applied_to(tensor.parameter, value, self.dtype)
                elif tensor.is_float:
                    value = value.to(self.dtype)
                made[tensor.key] = value.contiguous()
            save_file(made, path, metadata=_METADATA)


def _plan(stored: Sequence[Stored], dtype_bytes: int) -> list[Shard]:
    """The base's files, cut where one would become larger than what tools expect."""
    shards: list[Shard] = []
    file = None
    for tensor in stored:
        size = tensor.bytes_as(dtype_bytes)
        if not shards or tensor.file != file or shards[-1].bytes + size > SHARD_BYTES:
            shards.append(Shard())
        shards[-1].held.append(tensor)
        shards[-1].bytes += size
        file = tensor.file
    return shards


def index_file(path: str, where: dict[str, str], total: int) -> File:
    """The index that says which file holds a tensor."""
    content = {"metadata": {"total_size": total}, "weight_map": dict(sorted(where.items()))}
    data = json.dumps(content, indent=2).encode() + b"\n"
    return File(path, lambda place: place.write_bytes(data))


def total_bytes(stored: Sequence[Stored], dtype: str) -> int:
    """What a model takes in this type."""
    return sum(tensor.bytes_as(getattr(torch, dtype).itemsize) for tensor in stored)


def merge_problems(source: Source) -> list[Problem]:
    """Why what was trained cannot be put into the base's files."""
    if "quantization_config" in source.config:
        return [
            Problem(
                "its weights are quantized: what was trained would be lost in rounding, or added to"
                " codes instead of numbers",
                where=f"base {source.base.name}",
                fix="export --to peft, which needs no merging; or compile on the unquantized base",
            )
        ]
    return place_problems(source, "merged")


def place_problems(source: Source, done: str) -> list[Problem]:
    """Which trained tensors belong to none of the base's files as it is.

    Args:
        source: what is exported.
        done: what therefore cannot be done with them.
    """
    try:
        stored = read_checkpoint(source.base)
    except InputError as error:
        return list(error.problems)
    by_name: dict[str, list[Stored]] = {}
    for tensor in stored:
        by_name.setdefault(tensor.parameter, []).append(tensor)
    found = []
    for name in sorted(Trained.read(source.adapter).names()):
        places = by_name.get(name, [])
        if not places:
            why = "the base's files do not hold it"
        elif any(place.converted for place in places):
            why = "the base's files hold it in another form, which only loading undoes"
        elif not all(place.is_float for place in places):
            why = f"the base's files hold it quantized, as {places[0].dtype}"
        else:
            continue
        fix = "export --to peft, and load it with plain transformers"
        found.append(Problem(f"cannot be {done}: {why}", where=name, fix=fix))
    return found
