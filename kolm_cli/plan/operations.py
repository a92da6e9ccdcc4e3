"""What one operation costs a device: kernels, bytes and floating-point operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.flop_counter import flop_registry

from kolm_cli.plan.arguments import tensors_of, written_by
from kolm_cli.plan.counts import Work

aten = torch.ops.aten

# They reserve memory, or rename it, and launch nothing.
_NO_KERNEL = {
    aten.empty,
    aten.empty_like,
    aten.empty_strided,
    aten.empty_permuted,
    aten.new_empty,
    aten.new_empty_strided,
    aten._unsafe_view,
    aten.lift_fresh,
    aten.resize_,
    aten.set_,
}
# What is there before is not looked at.
_OVERWRITE = {
    aten.fill_,
    aten.zero_,
    aten.copy_,
    aten.normal_,
    aten.uniform_,
    aten.bernoulli_,
    aten.random_,
}
# They read as much as they give, whatever the size of what they choose from.
_CHOOSE = {
    aten.embedding,
    aten.index,
    aten.index_select,
    aten.gather,
    aten.masked_select,
}
# A list of tensors is worked on in chunks: aten/src/ATen/native/cuda/MultiTensorApply.cuh,
# `depth_to_max_tensors`, by the number of lists that go in together.
_TENSORS_A_LAUNCH = (110, 64, 48, 36, 30)


def cost(func: Any, args: Any, kwargs: Any, out: Any, made: Sequence[torch.Tensor]) -> Work:
    """What an operation costs.

    An operation counts as one kernel. What it reads and writes is each tensor once: as if caches
    held nothing between two operations, and everything within one.

    Args:
        func: an ATen operation.
        args: its arguments.
        kwargs: its named arguments.
        out: its result.
        made: the tensors of its result whose memory is new.
    """
    packet = func._overloadpacket
    changed = written_by(func, args, kwargs)
    if packet in _NO_KERNEL or not (made or changed):
        return Work()
    written = sum(map(_extent, made)) + sum(map(_extent, changed))
    over = {id(t) for t in changed} if packet in _OVERWRITE else set()
    sources = {id(t): t for t in tensors_of(args, kwargs) if id(t) not in over}
    limit = sum(map(_extent, made)) if packet in _CHOOSE else None
    read = sum(_extent(t) if limit is None else min(limit, _extent(t)) for t in sources.values())
    formula = flop_registry.get(packet)
    flops = int(formula(*args, **kwargs, out_val=out)) if formula is not None else 0
    return Work(_kernels(args), read, written, flops)


def _kernels(args: Any) -> int:
    """One; or for an operation on lists of tensors, one for each chunk of them."""
    lists = [a for a in args if isinstance(a, list | tuple) and a and _all_tensors(a)]
    alike = [each for each in lists if len(each) == len(lists[0])]
    if len(alike) < 1 or len(lists[0]) < 2 or not isinstance(args[0], list | tuple):
        return 1
    depth = min(len(alike), len(_TENSORS_A_LAUNCH))
    return -(-len(lists[0]) // _TENSORS_A_LAUNCH[depth - 1])


def _all_tensors(items: Sequence[Any]) -> bool:
    return all(isinstance(item, torch.Tensor) for item in items)


def _extent(tensor: torch.Tensor) -> int:
    """The bytes that a tensor covers: what is expanded is stored once."""
    covered = 1
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        covered *= size if stride else 1
    return covered * tensor.element_size() if tensor.numel() else 0
