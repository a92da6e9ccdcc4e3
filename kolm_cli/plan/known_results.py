"""Operations that were done before on tensors of the same shapes: what they give, and their cost.

A model does the same operation in every layer. The meta device works out the shape of each result
anew, in Python for many operations, and that takes longer than everything else here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from kolm_cli.plan.arguments import mapped, tensors_of
from kolm_cli.plan.counts import Work

_MOST = 1 << 15


@dataclass(frozen=True)
class _Shape:
    size: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype

    def make(self) -> torch.Tensor:
        return torch.empty_strided(self.size, self.stride, dtype=self.dtype, device="meta")


class KnownResults:
    """Results by operation and arguments."""

    def __init__(self) -> None:
        self._known: dict[Any, tuple[Any, Work]] = {}

    def key(self, func: Any, args: Any, kwargs: Any) -> Any:
        """What decides shapes and cost; None where the result may share memory with something."""
        if not _makes_new(func):
            return None
        seen: dict[int, int] = {}
        key = (func, _token(args, seen), _token(kwargs, seen))
        try:
            hash(key)
        except TypeError:
            return None
        return key

    def find(self, key: Any) -> tuple[Any, Work] | None:
        """A new result, and its cost; None where it is not known."""
        found = None if key is None else self._known.get(key)
        return None if found is None else (_made(found[0]), found[1])

    def keep(self, key: Any, out: Any, work: Work, given: list[torch.Tensor]) -> None:
        """Keep a result, if all of its tensors are new, and all of their memory theirs."""
        made = tensors_of(out)
        old = {t.untyped_storage()._cdata for t in given}
        if key is None or not all(map(_is_whole, made)):
            return
        if len({t.untyped_storage()._cdata for t in made} - old) < len(made):
            return
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = mapped(_shape_of, out), work


def _shape_of(tensor: torch.Tensor) -> Any:
    return _Shape(tuple(tensor.shape), tensor.stride(), tensor.dtype)


def _made(item: Any) -> Any:
    if isinstance(item, _Shape):
        return item.make()
    if isinstance(item, list | tuple):
        return type(item)(map(_made, item))
    return item


def _is_whole(tensor: torch.Tensor) -> bool:
    if tensor.device.type != "meta" or tensor.storage_offset():
        return False
    alone = _shape_of(tensor).make().untyped_storage().nbytes()
    return bool(alone == tensor.untyped_storage().nbytes())


@cache
def _makes_new(func: Any) -> bool:
    """Whether an operation's schema says that its results share memory with no argument."""
    schema = func._schema
    return not func.is_view and all(
        value.alias_info is None for value in (*schema.arguments, *schema.returns)
    )


def _token(item: Any, seen: dict[int, int]) -> Any:
    if isinstance(item, torch.Tensor):
        # The same tensor twice is read once.
        place = seen.setdefault(id(item), len(seen))
        return place, item.shape, item.stride(), item.dtype, item.device.type
    if isinstance(item, list | tuple):
        return tuple([_token(each, seen) for each in item])
    if isinstance(item, dict):
        return tuple([(name, _token(each, seen)) for name, each in item.items()])
    # 1, 1.0 and True are equal, and give results of other types.
    return type(item), item


# For all counting of a process.
KNOWN = KnownResults()
