"""Decoder layers that are alike: a few of them are run, and what the others would add is put in.

A language tower of eighty layers does the same eighty times. Eight of them are run: four at the
beginning, since some models add features of the picture to the first ones, two in the middle, and
the last two. Between marks at the beginning of each layer, forward and backward, it is recorded
what was done and how memory rose and fell. Where the layers in the middle did exactly the same,
their records are put in once for each layer that was left out, and memory's highest point is
looked for in the whole again.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from kolm_cli.families.base import Family
from kolm_cli.plan.counts import Peak, Sizes, WorkByPart
from kolm_cli.plan.follow import Follower
from kolm_cli.plan.gpu_forms import GpuForms
from kolm_cli.plan.stretches import Record, Seen, plus, scaled
from kolm_cli.trainer.partition import base_name, part_of

_FIRST, _MIDDLE, _LAST = 4, 2, 2
_RUN = _FIRST + _MIDDLE + _LAST
# The record that is put in, and those that have to be the same. The last layer's forward record
# goes on to the end of the model.
_PUT_IN = _FIRST + _MIDDLE - 1
_THE_SAME = range(_FIRST, _RUN - 1)

Mark = tuple[str, int]
_RELEASE: Mark = ("release", 0)
_MARKS: list[Mark] = [
    *(("forward", i) for i in range(_RUN)),
    _RELEASE,
    ("released", 0),
    *(("backward", i) for i in reversed(range(_RUN))),
    ("end", 0),
]
# Where a layer stands decides nothing about its work.
_PLACE = {"layer_idx", "layer_index", "layer_id"}
_PLAIN = (bool, int, float, str, type(None))


@dataclass(frozen=True)
class MicroBatch:
    """A micro-batch, counted: its work, its kernels, and the highest point of memory."""

    work: WorkByPart
    sizes: Sizes
    peak: Peak


class RepeatedLayers:
    """The decoder layers of a model that do the same."""

    def __init__(self, parent: nn.Module, name: str, layers: nn.ModuleList) -> None:
        self._parent, self._name, self._layers = parent, name, layers
        self._marks: list[Mark] = []
        self._seen: list[Seen] = []
        self._begin = 0
        self._ended, self._between = 0, False

    @classmethod
    def of(cls, model: nn.Module, family: Family) -> RepeatedLayers | None:
        """Those of a model that is ready to train; None where they differ, or are few."""
        found: list[RepeatedLayers] = []
        for path, parent in model.named_modules():
            for name, child in parent.named_children():
                if isinstance(child, nn.ModuleList) and len(child) > _RUN:
                    inner = next((n for n, _ in child.named_parameters()), "")
                    part = part_of(family, base_name(f"{path}.{name}.{inner}"))
                    if part == "language" and _alike(parent, child):
                        found.append(cls(parent, name, child))
        return found[0] if len(found) == 1 else None

    @contextlib.contextmanager
    def shortened(self, follower: Follower, forms: GpuForms) -> Iterator[None]:
        """Run eight of the layers, and mark where each begins, forward and backward."""
        kept = [*self._layers[: _FIRST + _MIDDLE], *self._layers[-_LAST:]]
        hooks = [hook for i, layer in enumerate(kept) for hook in self._watch(i, layer, follower)]
        forms.on_release = lambda name: self._mark((name, 0), follower)
        self._seen, self._begin = [Seen.by(follower)], follower.storages.stretch
        setattr(self._parent, self._name, nn.ModuleList(kept))
        try:
            yield
            self._mark(("end", 0), follower)
        finally:
            setattr(self._parent, self._name, self._layers)
            forms.on_release = lambda _: None
            for hook in hooks:
                hook.remove()

    def _watch(self, index: int, layer: nn.Module, follower: Follower) -> list[Any]:
        def begins(*_: Any) -> None:
            # Layers that are run again for their gradients are part of the backward pass.
            if torch._C._current_autograd_node() is None:
                if index > _FIRST and follower.work.total.kernels != self._ended:
                    self._between = True
                self._mark(("forward", index), follower)

        def ends(_: Any, __: Any, output: Any) -> None:
            self._ended = follower.work.total.kernels
            hidden = output[0] if isinstance(output, tuple) else output
            if torch._C._current_autograd_node() is None and hidden.requires_grad:
                hidden.register_hook(lambda _: self._mark(("backward", index), follower))

        return [layer.register_forward_pre_hook(begins), layer.register_forward_hook(ends)]

    def _mark(self, mark: Mark, follower: Follower) -> None:
        self._marks.append(mark)
        self._seen.append(Seen.by(follower))
        follower.storages.begin_stretch()

    def whole(self) -> MicroBatch | None:
        """What all layers do together; None where those that were run did not do the same."""
        if self._marks != _MARKS or self._between:
            return None
        # A record is named after the mark that it begins with.
        records = {
            mark: Record.between(self._begin + i, self._seen[i], self._seen[i + 1])
            for i, mark in enumerate([("begin", 0), *_MARKS[:-1]])
        }
        for way in ("forward", "backward"):
            first, *others = (records[way, i] for i in _THE_SAME)
            if not all(first.same_as(other) for other in others):
                return None
        return self._joined(records) if self._frees_its_own(records) else None

    def _frees_its_own(self, records: Mapping[Mark, Record]) -> bool:
        """Whether a layer's memory is freed at layers beside it, or with the cast weights."""
        layer = records["forward", _PUT_IN]
        near = {(way, i) for way in ("forward", "backward") for i in _THE_SAME}
        return not any(
            record.freed_of(layer)
            for mark, record in records.items()
            if mark not in near and mark != _RELEASE
        )

    def _joined(self, records: Mapping[Mark, Record]) -> MicroBatch:
        """All records in their order, those of a layer in the middle so many times more."""
        more = len(self._layers) - _RUN
        work, sizes = WorkByPart(), Counter[tuple[int, int]]()
        highest, shift = Peak(-1), Counter[str]()
        for mark, record in records.items():
            times = 1 + (more if mark[1] == _PUT_IN else 0)
            work = work.plus(record.work, times)
            sizes.update({size: times * count for size, count in record.sizes.items()})
            # Memory changes by the same each time: it is highest the first or the last time.
            for again in (0, times - 1):
                peak = plus(record.peak[0], shift, scaled(record.added, again))
                if sum(peak.values()) > highest.bytes:
                    highest = Peak(sum(peak.values()), dict(peak))
            shift = plus(shift, scaled(record.added, times - 1))
            if mark == _RELEASE:
                freed = record.freed_of(records["forward", _PUT_IN])
                shift = plus(shift, scaled(freed, -more))
        return MicroBatch(work, sizes, highest)


def _alike(parent: nn.Module, layers: nn.ModuleList) -> bool:
    """Whether nothing tells the layers after the first ones from each other."""
    if any(c is not layers and isinstance(c, nn.ModuleList) for c in parent.children()):
        # Such as connectors that work between some of the layers.
        return False
    config = getattr(parent, "config", None)
    for value in vars(config).values() if config is not None else ():
        # Such as which attention each layer has.
        if isinstance(value, list) and len(value) == len(layers) and len(set(map(str, value))) > 1:
            return False
    first = _signature(layers[_FIRST])
    return all(_signature(layer) == first for layer in layers[_FIRST + 1 :])


def _signature(layer: nn.Module) -> list[Any]:
    """Everything about a layer that could decide what it does, but its values."""
    found: list[Any] = []
    for name, module in layer.named_modules():
        settings = {
            key: value
            for key, value in vars(module).items()
            if key not in _PLACE and not key.startswith("_") and _is_plain(value)
        }
        found.append((name, type(module), "forward" in vars(module), settings))
    found += [(n, p.shape, p.dtype, p.requires_grad) for n, p in layer.named_parameters()]
    found += [(n, b.shape, b.dtype) for n, b in layer.named_buffers()]
    return found


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(item, _PLAIN) for item in value.values())
    return isinstance(value, _PLAIN)
