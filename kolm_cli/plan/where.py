"""Which part of the model or of the step is at work: in forward, backward and recomputation."""

from __future__ import annotations

import bisect
import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from kolm_cli.families.base import Family, PartName
from kolm_cli.trainer.partition import top_modules

_MODULE_PARTS: tuple[PartName, ...] = ("vision", "projector", "language", "head")
# The node that hands a gradient over belongs to no forward operation, and has no number.
_NO_NUMBER = 1 << 62


class Where:
    """Knows what is at work, from hooks on the parts and from autograd's own numbering.

    Autograd numbers the operations of a forward pass. Each backward operation carries the number
    of the one it belongs to, and so the part that it was in.
    """

    def __init__(self) -> None:
        self._stack: list[str] = []
        self._phase = "setup"
        self._numbers: list[int] = []
        self._parts: list[str] = []

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Everything outside of the model's parts is for `name` while the block lasts."""
        before, self._phase = self._phase, name
        try:
            yield
        finally:
            self._phase = before

    @contextlib.contextmanager
    def watching(self, model: nn.Module, family: Family) -> Iterator[None]:
        """Follow the parts of a model, wrapped by PEFT or not."""
        hooks = self._hook(model, "language")
        for part in _MODULE_PARTS:
            for _, module in top_modules(model, family, part):
                hooks += self._hook(module, part)
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            self._stack.clear()
            self._numbers.clear()
            self._parts.clear()

    def _hook(self, module: nn.Module, part: str) -> list[RemovableHandle]:
        def enter(*_: Any) -> None:
            self._stack.append(part)
            self._mark()

        def leave(*_: Any) -> None:
            if self._stack:
                self._stack.pop()
            self._mark()

        return [
            module.register_forward_pre_hook(enter),
            module.register_forward_hook(leave, always_call=True),
        ]

    def _mark(self) -> None:
        """From this number on, operations are for what is at work now."""
        self._numbers.append(torch._C._autograd._get_sequence_nr())
        self._parts.append(self._stack[-1] if self._stack else "loss")

    @property
    def backward(self) -> bool:
        """Whether gradients are being computed."""
        return torch._C._current_autograd_node() is not None

    def part(self) -> str:
        """What is at work."""
        if self._stack:
            return self._stack[-1]
        node: Any = torch._C._current_autograd_node()
        if node is None:
            return self._phase
        number = node._sequence_nr()
        if number >= _NO_NUMBER:
            return "accumulate"
        index = bisect.bisect_right(self._numbers, number) - 1
        return self._parts[index] if index >= 0 else "loss"
