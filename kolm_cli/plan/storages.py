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
        born: the stretch in which it was first used; see `Storages.begin_stretch`.
        values: real values of tensors in it, by their place; see `Values`.
    """

    nbytes: int
    kind: str
    born: int
    end: weakref.ref[Any] = field(repr=False)
    values: dict[Place, torch.Tensor] = field(default_factory=dict, repr=False)


class Storages:
    """The storages of one device; views of a storage are counted with it, once.

    Attributes:
        device: its name.
        live: bytes that live now.
        stretch: the number of the stretch that is on.
        freed: bytes freed in it, by the stretch that they were first used in and their kind.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self.live = 0
        self._peak, self._rising = Peak(), False
        self.stretch = 0
        self.freed: Counter[tuple[int, str]] = Counter()
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
                self._keep_peak()
                self.live -= gone.nbytes
                self._kinds[gone.kind] -= gone.nbytes
                self.freed[gone.born, gone.kind] += gone.nbytes

        stored = Stored(storage.nbytes(), kind, self.stretch, weakref.ref(storage, ended))
        self._stored[key] = stored
        self.live += stored.nbytes
        self._kinds[kind] += stored.nbytes
        # What it is made of is written down when it ends: most of a step's peaks are passed.
        self._rising = self._rising or self.live > self._peak.bytes
        return True

    def _keep_peak(self) -> None:
        if self._rising:
            self._peak, self._rising = self.now(), False

    def recount(self, tensor: torch.Tensor, kind: str) -> None:
        """Count the storage of `tensor` as `kind` from now on."""
        stored = self.find(tensor)
        if stored is None:
            self.see(tensor, kind)
            return
        self._kinds[stored.kind] -= stored.nbytes
        self._kinds[kind] += stored.nbytes
        stored.kind = kind

    @property
    def peak(self) -> Peak:
        """The highest point so far."""
        self._keep_peak()
        return self._peak

    def now(self) -> Peak:
        """What lives now."""
        return Peak(self.live, dict(self._kinds))

    def begin_peak(self) -> None:
        """Look for the highest point from here on."""
        self._peak, self._rising = self.now(), False

    def begin_stretch(self) -> None:
        """From here on look for a highest point of its own, and for what is freed, by its birth."""
        self.begin_peak()
        self.stretch += 1
        self.freed = Counter()
