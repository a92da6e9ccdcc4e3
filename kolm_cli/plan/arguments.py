"""The tensors among an operation's arguments, and those that it writes into.

They are looked for at every operation of a step, so these few lines have to be quick.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch.utils._pytree import tree_map_only


def tensors_of(*values: Any) -> list[torch.Tensor]:
    """Every tensor in nested lists, tuples and dictionaries."""
    found: list[torch.Tensor] = []
    for value in values:
        _collect(value, found)
    return found


def _collect(value: Any, found: list[torch.Tensor]) -> None:
    if isinstance(value, torch.Tensor):
        found.append(value)
    elif isinstance(value, list | tuple):
        for item in value:
            _collect(item, found)
    elif isinstance(value, dict):
        for item in value.values():
            _collect(item, found)


def mapped(change: Callable[[torch.Tensor], Any], value: Any) -> Any:
    """The same nested lists, tuples and dictionaries, with each tensor changed."""
    if isinstance(value, torch.Tensor):
        return change(value)
    kind = type(value)
    if kind is list or kind is tuple:
        return kind([mapped(change, item) for item in value])
    if kind is dict:
        return {name: mapped(change, item) for name, item in value.items()}
    if isinstance(value, list | tuple | dict) and tensors_of(value):
        return tree_map_only(torch.Tensor, change, value)
    return value


@cache
def _written_arguments(func: Any) -> tuple[tuple[int, str], ...]:
    return tuple(
        (index, argument.name)
        for index, argument in enumerate(func._schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    )


def written_by(func: Any, args: Any, kwargs: Any) -> list[torch.Tensor]:
    """The tensors that an operation writes into."""
    return tensors_of(
        [args[i] if i < len(args) else kwargs.get(name) for i, name in _written_arguments(func)]
    )
