"""The mode that follows every operation on a device: its cost, its storages, its waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from kolm_cli.core.errors import KolmError, Problem
from kolm_cli.plan.arguments import tensors_of
from kolm_cli.plan.counts import Sizes, Work, WorkByPart
from kolm_cli.plan.known_results import KNOWN
from kolm_cli.plan.operations import cost
from kolm_cli.plan.storages import Storages
from kolm_cli.plan.values import Values
from kolm_cli.plan.where import Where

aten = torch.ops.aten

# How large their result is depends on values: a device has to tell the host.
_SIZED_BY_VALUES = {
    aten.nonzero,
    aten.masked_select,
    aten._unique2,
    aten.unique_dim,
    aten.unique_consecutive,
    aten.bincount,
    aten.repeat_interleave,
}
_INDEXED = {aten.index, aten.index_put, aten.index_put_, aten._unsafe_index, aten._index_put_impl_}
# Small tensors of the host may be mixed in: a number, or the indices of these operations.
_TAKES_HOST_TENSORS = {*_INDEXED, aten.copy_, aten._to_copy}


class CountingError(KolmError):
    """The step does something that cannot be followed without values, or that no GPU allows."""


class Follower(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what happens on `device`: `meta`, which stands for a GPU, or `cpu`.

    Attributes:
        work: by part.
        storages: what lives.
        values: the values that are known on the meta device.
        where: what is at work.
        operations: how often each operation launched a kernel.
        answers: the token that is taken for every answered one; an answer must not end by chance.
        sizes: how many kernels there were of each (operations, bytes).
    """

    def __init__(self, where: Where, device: str = "meta") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.where = where
        self.work = WorkByPart()
        self.storages = Storages(device)
        self.values = Values(self.storages)
        self.operations: Counter[str] = Counter()
        self.sizes: Sizes = Counter()
        self.answers: int | None = None
        self._device = device

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Nothing is compiled here, and guarding against it would cost more than the counting.
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do the operation, and count it when the device has a part in it."""
        kwargs = kwargs or {}
        if self._device != "meta":
            out = func(*args, **kwargs)
            self._count(func, args, kwargs, out)
            return out
        given = tensors_of(args, kwargs)
        here = [t for t in given if t.device.type == "meta"]
        target = kwargs.get("device")
        if not here and (target is None or torch.device(target).type != "meta"):
            return func(*args, **kwargs)
        self._check_devices(func, given, here)
        read = self._reads(func, args, kwargs)
        return self._do(func, args, kwargs) if read is None else read()

    # -- what reads values on the host ---------------------------------------------------------

    def _reads(self, func: Any, args: Any, kwargs: Any) -> Callable[[], Any] | None:
        """How to do an operation for which the host needs values of the device; or None."""
        packet = func._overloadpacket
        if packet is aten._local_scalar_dense:
            return lambda: self._to_host(args[0]).item()
        if packet is aten._to_copy and "device" in kwargs:
            to = torch.device(kwargs["device"]).type
            if to == "cpu" and args[0].device.type == "meta":
                return lambda: func(self._to_host(args[0]), **kwargs)
            if to == "meta" and args[0].device.type == "cpu":
                return lambda: self._to_device(func, args, kwargs)
        if packet is aten.copy_:
            to, source = args[0].device.type, args[1].device.type
            if to == "cpu" and source == "meta":
                return lambda: func(args[0], self._to_host(args[1]), **kwargs)
            if to == "meta" and source == "cpu":
                return lambda: self._to_device(func, args, kwargs)
        if packet is aten.equal:
            return lambda: func(*map(self._to_host, args[:2]))
        if packet in _SIZED_BY_VALUES and len(tensors_of(args)) > 0:
            if packet is aten.repeat_interleave and kwargs.get("output_size") is not None:
                return None
            return lambda: self._sized(func, args, kwargs)
        if packet in _INDEXED and any(
            t is not None and t.dtype in (torch.bool, torch.uint8) for t in args[1]
        ):
            return lambda: self._masked(func, args, kwargs)
        return None

    def _wait(self) -> None:
        self.work.of(self.where.part()).waits += 1

    def _to_host(self, tensor: torch.Tensor) -> torch.Tensor:
        """The values of a tensor, which the host waits for; zeros where they are not known.

        They are not known for what the model computes: losses, norms, the next token. What the
        host does with those decides nothing about the step's work.
        """
        if tensor.device.type != "meta":
            return tensor
        self._wait()
        value = self.values.get(tensor)
        return torch.zeros(tensor.shape, dtype=tensor.dtype) if value is None else value.clone()

    def _to_device(self, func: Any, args: Any, kwargs: Any) -> Any:
        source = args[1] if func._overloadpacket is aten.copy_ else args[0]
        out = func(*args, **kwargs)
        self._count(func, args, kwargs, out, copied=True)
        if func._overloadpacket is aten.copy_:
            self.values.forget(args[0])
        else:
            self.values.keep(out, source.to(out.dtype))
        return out

    def _needed(self, tensor: torch.Tensor, func: Any) -> torch.Tensor:
        value = self.values.get(tensor)
        if value is None:
            raise CountingError(
                Problem(
                    f"the size of a result of {func} depends on values that are computed on the"
                    f" device ({self.where.part()})"
                )
            )
        return value

    def _sized(self, func: Any, args: Any, kwargs: Any) -> Any:
        """An operation whose result is as large as the values say."""
        self._wait()

        def real(item: Any) -> Any:
            on_device = isinstance(item, torch.Tensor) and item.device.type == "meta"
            return self._needed(item, func) if on_device else item

        result = func(*tree_map(real, args), **tree_map(real, kwargs))

        def onto(item: Any) -> Any:
            return torch.empty_like(item, device="meta") if isinstance(item, torch.Tensor) else item

        out = tree_map(onto, result)
        self._count(func, args, kwargs, out)
        for tensor, value in zip(tensors_of(out), tensors_of(result), strict=True):
            self.values.keep(tensor, value)
        return out

    def _masked(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Indexing by a mask: first the positions are found, and counted on the host."""
        indices: list[torch.Tensor | None] = []
        for index in args[1]:
            if index is None or index.dtype not in (torch.bool, torch.uint8):
                indices.append(index)
                continue
            if index.device.type == "meta":
                self._wait()
                found = self._needed(index, func).nonzero(as_tuple=True)
                self.work.of(self.where.part()).add(
                    Work(1, index.numel(), sum(f.nbytes for f in found))
                )
            else:
                found = index.nonzero(as_tuple=True)
            for positions in found:
                moved = torch.empty_like(positions, device="meta")
                self.storages.see(moved, self._kind())
                self.values.keep(moved, positions)
                indices.append(moved)
        return self._do(func, (args[0], indices, *args[2:]), kwargs)

    # -- everything else -------------------------------------------------------------------------

    def _do(self, func: Any, args: Any, kwargs: Any) -> Any:
        key = KNOWN.key(func, args, kwargs)
        known = KNOWN.find(key)
        if known is None:
            out = func(*args, **kwargs)
            work = self._count(func, args, kwargs, out)
            KNOWN.keep(key, out, work, tensors_of(args, kwargs))
        else:
            out, work = known
            self._count(func, args, kwargs, out, work=work)
        self.values.along(func, args, kwargs, out)
        if self.answers is not None and func._overloadpacket is aten.argmax:
            self.values.keep(out, torch.full(out.shape, self.answers, dtype=out.dtype))
        return out

    def _count(
        self,
        func: Any,
        args: Any,
        kwargs: Any,
        out: Any,
        *,
        copied: bool = False,
        work: Work | None = None,
    ) -> Work:
        """Take a new operation into account; what it costs, unless that is known."""
        kind = self._kind()
        for tensor in tensors_of(args, kwargs):
            if tensor.device.type == self._device:
                self.storages.see(tensor, "given")
        made = [
            t
            for t in tensors_of(out)
            if t.device.type == self._device and self.storages.see(t, kind)
        ]
        if work is None:
            work = cost(func, args, kwargs, out, made)
        if copied:
            work = Work(written=work.written, copies=1)
        elif work.kernels:
            self.operations[str(func)] += work.kernels
            self.sizes[work.flops, work.read + work.written] += work.kernels
        self.work.of(self.where.part()).add(work)
        return work

    def _kind(self) -> str:
        """What new memory is counted as."""
        part = self.where.part()
        return _KINDS.get(part, part)

    def _check_devices(self, func: Any, given: list[Any], here: list[Any]) -> None:
        """Refuse what a GPU refuses: an operation on tensors of the host and of the device."""
        if not here or len(here) == len(given) or func._overloadpacket in _TAKES_HOST_TENSORS:
            return
        if any(t.dim() > 0 for t in given if t.device.type != "meta"):
            raise CountingError(
                Problem(
                    f"{func} mixes tensors of the host and of the device ({self.where.part()})",
                    fix="move the tensors of the host to the model's device first",
                )
            )


_KINDS = {
    "vision": "tower activations",
    "projector": "tower activations",
    "language": "activations",
    "head": "logits",
    "loss": "logits",
    "accumulate": "gradients",
    "optimizer": "optimizer state",
}
