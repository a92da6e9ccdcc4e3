"""Several processes that are one run: the one place that asks whether there are any.

Whatever shards a model over processes belongs here too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import distributed

T = TypeVar("T")


def processes_here() -> int:
    """How many processes of this run share this machine, its processors and its memory."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def several_processes() -> bool:
    """Whether this process is one of several of the same run."""
    return distributed.is_initialized() and distributed.get_world_size() > 1


def decided_by_first(decide: Callable[[], T]) -> T:
    """What the first process decides, told to all others."""
    if not several_processes():
        return decide()
    choice: list[Any] = [decide() if distributed.get_rank() == 0 else None]
    distributed.broadcast_object_list(choice, src=0)
    decided: T = choice[0]
    return decided


def true_in_any(value: bool, device: torch.device) -> bool:
    """Whether `value` is true in any process: all must leave at the same step, or they hang."""
    if not several_processes():
        return value
    flag = torch.tensor(int(value), device=device)
    distributed.all_reduce(flag, op=distributed.ReduceOp.MAX)
    return bool(flag)


def joined(loss: torch.Tensor, parameters: Sequence[torch.nn.Parameter]) -> torch.Tensor:
    """`loss`, with `parameters` in its graph at no cost to its value.

    A batch without images would leave the projector out of the backward pass on one rank while
    the others wait for its gradients.
    """
    if parameters and several_processes():
        return loss + 0.0 * sum(parameter.sum() for parameter in parameters)
    return loss
