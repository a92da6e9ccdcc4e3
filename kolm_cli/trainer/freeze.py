"""Frozen means frozen: no gradient, and for the vision tower no graph either."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from kolm_cli.families.base import Family, PartName
from kolm_cli.trainer.partition import Partition, parameters_of, top_modules


def without_graph(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Run `forward` under `no_grad`, whatever its inputs carry."""

    @functools.wraps(forward)
    def run(*args: Any, **kwargs: Any) -> Any:
        with torch.no_grad():
            return forward(*args, **kwargs)

    return run


def set_trainable(model: nn.Module, partition: Partition, *, projector: bool, vision: bool) -> None:
    """Freeze the base, then thaw what is trained in full; LoRA's own tensors are left alone.

    What is trained is kept in fp32: a bf16 weight swallows updates smaller than its last bit.
    """
    thawed: list[PartName] = ["projector"] if projector else []
    thawed += ["vision"] if vision else []
    for name, parameter in model.named_parameters():
        if ".lora_" not in name:
            parameter.requires_grad_(False)
    for _, parameter in parameters_of(model, partition, *thawed):
        parameter.data = parameter.data.float()
        parameter.requires_grad_(True)


def isolate_vision(model: nn.Module, family: Family) -> None:
    """Make the vision tower leave no graph, also under activation checkpointing.

    Only modules that hold nothing but vision parameters are wrapped: in some families the
    projector is called inside the tower's own `forward` and must keep its gradient.
    """
    for _, module in top_modules(model, family, "vision"):
        module.forward = without_graph(module.forward)


class GraphWatch:
    """Observes whether anything that enters the projector carries gradient history."""

    def __init__(self, model: nn.Module, family: Family) -> None:
        self.calls = 0
        self.with_history = 0
        self._hooks = [
            module.register_forward_pre_hook(self._look, with_kwargs=True)
            for _, module in top_modules(model, family, "projector")
        ]

    def _look(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        tensors = [v for v in (*args, *kwargs.values()) if isinstance(v, torch.Tensor)]
        self.calls += 1
        self.with_history += any(t.grad_fn is not None or t.requires_grad for t in tensors)

    def remove(self) -> None:
        """Stop observing."""
        for hook in self._hooks:
            hook.remove()
