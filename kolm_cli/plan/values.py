"""Real values beside meta tensors, where they decide what happens next.

Models ask their inputs on the way: which tokens are images, how large each picture is, whether
anything is padding. The meta device has no values, so those of small tensors are computed along
on the CPU, and follow every operation on them as they would on a device.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch.utils._pytree import tree_map

from kolm_cli.plan.arguments import tensors_of, written_by
from kolm_cli.plan.storages import Storages, place_of

# Integers and booleans are ids, masks and sizes. Floats are positions, or a batch's pixels, of
# which no more than copies are needed: whether a crop is empty is asked of them.
_MOST_INTEGERS = 1 << 25
_MOST_FLOATS = 1 << 15
_COPIES = {torch.ops.aten._to_copy, torch.ops.aten.clone}


class Values:
    """The known values of tensors in `storages`."""

    def __init__(self, storages: Storages) -> None:
        self._storages = storages

    def get(self, tensor: torch.Tensor) -> torch.Tensor | None:
        """A CPU tensor with the values of `tensor`, or None where they are not known."""
        stored = self._storages.find(tensor)
        return None if stored is None else stored.values.get(place_of(tensor))

    def keep(self, tensor: torch.Tensor, value: torch.Tensor) -> None:
        """`tensor` has these values."""
        stored = self._storages.find(tensor)
        if stored is not None:
            stored.values[place_of(tensor)] = value

    def forget(self, tensor: torch.Tensor) -> None:
        """Something unknown was written into the storage of `tensor`."""
        stored = self._storages.find(tensor)
        if stored is not None:
            stored.values.clear()

    def along(self, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """Do on the values what `func` did on the meta tensors, where all of them are known."""
        known = None
        if not _random(func) and self._all_known(args, kwargs):
            made = tensors_of(out)
            if _free(func) or all(map(_small, made)):
                known = tree_map(self._real, args), tree_map(self._real, kwargs)
        if known is None:
            for tensor in written_by(func, args, kwargs):
                if tensor.device.type == "meta":
                    self.forget(tensor)
            return
        # A value that is written to is shared by every view of its storage.
        values = tensors_of(func(*known[0], **known[1]))
        for tensor, value in zip(made, values, strict=True):
            if tensor.device.type == "meta" and tensor.shape == value.shape:
                self.keep(tensor, value)

    def _all_known(self, args: Any, kwargs: Any) -> bool:
        return all(
            tensor.device.type != "meta" or self.get(tensor) is not None
            for tensor in tensors_of(args, kwargs)
        )

    def _real(self, item: Any) -> Any:
        """The value in place of a meta tensor, and the CPU in place of the meta device."""
        if isinstance(item, torch.Tensor) and item.device.type == "meta":
            return self.get(item)
        return torch.device("cpu") if _is_meta(item) else item


def _is_meta(item: Any) -> bool:
    return isinstance(item, torch.device) and item.type == "meta"


def _small(tensor: torch.Tensor) -> bool:
    most = _MOST_FLOATS if tensor.dtype.is_floating_point else _MOST_INTEGERS
    return tensor.numel() <= most and not tensor.is_complex()


@cache
def _random(func: Any) -> bool:
    return torch.Tag.nondeterministic_seeded in func.tags


@cache
def _free(func: Any) -> bool:
    """Whether the result costs nothing to keep: a view, or a copy of what is known."""
    return bool(func.is_view) or func._overloadpacket in _COPIES
