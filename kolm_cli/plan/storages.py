"""Every storage of a device from its first use to its end: how many bytes live, and of what."""

from __future__ import annotations

import weakref
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch

from kolm_cli.plan.counts import Peak

# A tensor's place in its storage: what a copy of the Python object has in common with it.
Place = tuple[int, tuple[int, ...], tuple[int, ...], torch.dtype]


def place_of(tensor: torch.Tensor) -> Place:
    """Where in its storage a tensor is."""
    return (int(tensor.storage_offset()), tuple(tensor.shape), tuple(tensor.stride()), tensor.dtype)


@dataclass
class Stored:
    """A storage that lives.

    Attributes:
        nbytes: its size.
        kind: what it is counted as.
        values: real values of tensors in it, by their place; see `Values`.
    """

    nbytes: int
    kind: str
    end: weakref.ref[Any] = field(repr=False)
    values: dict[Place, torch.Tensor] = field(default_factory=dict, repr=False)


class Storages:
    """The storages of one device; views of a storage are counted with it, once."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.live = 0
        self.peak = Peak()
        self._kinds: Counter[str] = Counter()
        self._stored: dict[int, Stored] = {}

    def find(self, tensor: torch.Tensor) -> Stored | None:
        """The storage of a tensor, if it was seen before."""
        return self._stored.get(tensor.untyped_storage()._cdata)

    def see(self, tensor: torch.Tensor, kind: str) -> bool:
        """Count the storage of `tensor` unless it is counted already; whether it is new."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._stored:
            return False

        def ended(_: Any) -> None:
            gone = self._stored.pop(key, None)
            if gone is not None:
                self.live -= gone.nbytes
                self._kinds[gone.kind] -= gone.nbytes

        stored = Stored(storage.nbytes(), kind, weakref.ref(storage, ended))
        self._stored[key] = stored
        self.live += stored.nbytes
        self._kinds[kind] += stored.nbytes
        if self.live > self.peak.bytes:
            self.peak = self.now()
        return True

    def recount(self, tensor: torch.Tensor, kind: str) -> None:
        """Count the storage of `tensor` as `kind` from now on."""
        stored = self.find(tensor)
        if stored is None:
            self.see(tensor, kind)
            return
        self._kinds[stored.kind] -= stored.nbytes
        self._kinds[kind] += stored.nbytes
        stored.kind = kind

    def now(self) -> Peak:
        """What lives now."""
        return Peak(self.live, dict(self._kinds))

    def begin_peak(self) -> None:
        """Look for the highest point from here on."""
        self.peak = self.now()
