"""Frozen means frozen: no gradient, and for the vision tower no graph either."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from kolm_cli.core.globs import matches_any
from kolm_cli.families.base import Family, PartName
from kolm_cli.trainer.partition import Partition, parameters_of, top_modules


def without_graph(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Run `forward` under `no_grad`, whatever its inputs carry."""

    @functools.wraps(forward)
    def run(*args: Any, **kwargs: Any) -> Any:
        with torch.no_grad():
            return forward(*args, **kwargs)

    return run


def set_trainable(
    model: nn.Module,
    partition: Partition,
    *,
    projector: bool,
    vision: bool,
    never_used: Sequence[str] = (),
) -> None:
    """Freeze the base, then thaw what is trained in full; LoRA's own tensors are left alone.

    What is trained is kept in fp32: a bf16 weight swallows updates smaller than its last bit.

    Args:
        model: the model, wrapped by PEFT.
        partition: its partition.
        projector: train the projector.
        vision: train the vision tower.
        never_used: shell patterns of vision parameters to leave frozen.
    """
    thawed: list[PartName] = ["projector"] if projector else []
    thawed += ["vision"] if vision else []
    for name, parameter in model.named_parameters():
        if ".lora_" not in name:
            parameter.requires_grad_(False)
    for name, parameter in parameters_of(model, partition, *thawed):
        if partition.parts[name] == "vision" and matches_any(name, never_used):
            continue
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
    """Observes whether anything that enters the projector carries gradient history of the tower.

    In families whose projector is a chain of modules and bare parameters, the later ones receive
    history from the earlier ones, and should; where it also works inside the decoder, from the
    decoder. Only history that reaches beyond the parameters of those parts counts.
    """

    def __init__(self, model: nn.Module, family: Family) -> None:
        self.calls = 0
        self.with_history = 0
        partition = Partition.of(family, model)
        expected = parameters_of(model, partition, "projector", "language")
        self._expected = {id(parameter) for _, parameter in expected}
        self._hooks = [
            module.register_forward_pre_hook(self._look, with_kwargs=True)
            for _, module in top_modules(model, family, "projector")
        ]

    def _look(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not torch.is_grad_enabled():
            return  # an evaluation between two steps: it could have no history
        tensors = [v for v in (*args, *kwargs.values()) if isinstance(v, torch.Tensor)]
        self.calls += 1
        self.with_history += any(self._from_outside(tensor) for tensor in tensors)

    def _from_outside(self, tensor: torch.Tensor) -> bool:
        """Whether a gradient at `tensor` would flow to anything but projector and decoder."""
        if tensor.grad_fn is None:
            return tensor.requires_grad and id(tensor) not in self._expected
        seen, waiting = set(), [tensor.grad_fn]
        while waiting:
            node: Any = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            # Only the nodes of leaves hold a variable.
            if hasattr(node, "variable") and id(node.variable) not in self._expected:
                return True
            waiting += [following for following, _ in node.next_functions if following is not None]
        return False

    def remove(self) -> None:
        """Stop observing."""
        for hook in self._hooks:
            hook.remove()
