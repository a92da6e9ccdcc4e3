"""What was observed during a run: gradients seen, weights changed, weights unchanged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from kolm_cli.core.errors import KolmError, Problem
from kolm_cli.families.base import PARTS, PartName
from kolm_cli.trainer.partition import Partition, base_name, parameters_of


class EvidenceError(KolmError):
    """A run did not do what its receipt would say."""


def tensor_digest(tensor: torch.Tensor) -> str:
    """SHA-256 over the dtype, the shape and the bytes of a tensor, wherever it is."""
    digest = hashlib.sha256(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
    flat = tensor.detach().to("cpu").contiguous().reshape(-1)
    digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def digest_of(named: Iterable[tuple[str, torch.Tensor]]) -> str:
    """One digest over named tensors, independent of their order."""
    digest = hashlib.sha256()
    for name, tensor in sorted(named, key=lambda item: item[0]):
        digest.update(f"{name}\0{tensor_digest(tensor)}\n".encode())
    return digest.hexdigest()


def count_parameters(model: nn.Module, partition: Partition) -> dict[PartName, dict[str, int]]:
    """For each part: how many parameters (tied ones once), and how many of them train."""
    counts: dict[PartName, dict[str, int]] = {
        part: {"parameters": 0, "trainable": 0} for part in PARTS
    }
    for runtime_name, parameter in model.named_parameters():
        part = partition.parts[base_name(runtime_name)]
        counts[part]["parameters"] += parameter.numel()
        counts[part]["trainable"] += parameter.numel() if parameter.requires_grad else 0
    return {part: count for part, count in counts.items() if count["parameters"]}


def frozen_digests(model: nn.Module, partition: Partition) -> dict[str, str]:
    """For each part with frozen tensors: the digest of those tensors."""
    result: dict[str, str] = {}
    for part in PARTS:
        frozen = [
            (name, p) for name, p in parameters_of(model, partition, part) if not p.requires_grad
        ]
        if frozen:
            result[part] = digest_of(frozen)
    return result


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Base name to parameter, for everything that trains, read from the model as it is."""
    return {base_name(name): p for name, p in model.named_parameters() if p.requires_grad}


class GradientLedger:
    """Which trainable tensors have seen a non-zero gradient.

    Tensors are struck off when they are first seen, so that a long run costs one reduction a
    step only until the last of them was.
    """

    def __init__(self, model: nn.Module, seen: Iterable[str] = ()) -> None:
        self.seen = set(seen)
        self._waiting = {n: p for n, p in trainable(model).items() if n not in self.seen}

    @property
    def complete(self) -> bool:
        """Whether every tensor that trains has seen one."""
        return not self._waiting

    def look(self) -> None:
        """Read the gradients before the optimizer's step."""
        graded = [(n, p.grad) for n, p in self._waiting.items() if p.grad is not None]
        if not graded:
            return
        # One transfer for all of them: asking tensor by tensor would stall a GPU each time.
        flags = torch.stack([grad.detach().any() for _, grad in graded]).tolist()
        for (name, _), flag in zip(graded, flags, strict=True):
            if flag:
                self.seen.add(name)
                del self._waiting[name]


class Evidence:
    """Collects before and after, and judges."""

    def __init__(
        self, model: nn.Module, partition: Partition, before_peft: dict[PartName, int]
    ) -> None:
        self._model, self._partition = model, partition
        self.before_peft = before_peft
        self.after_peft = count_parameters(model, partition)
        self.frozen_before = frozen_digests(model, partition)
        self._trainable_before = {n: tensor_digest(p) for n, p in trainable(model).items()}
        self._frozen_graded: list[str] = []

    def start_state(self) -> dict[str, Any]:
        """What a checkpoint must keep, since a resumed run begins with trained weights."""
        return {"trainable_before": self._trainable_before, "frozen_before": self.frozen_before}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over the start of the run that is resumed.

        Raises:
            EvidenceError: the base is not the one that the run began with.
        """
        if state["frozen_before"] != self.frozen_before:
            raise EvidenceError("the base's weights differ from those that the run began with")
        self._trainable_before = state["trainable_before"]

    def note_frozen_gradients(self) -> None:
        """Look for gradients on frozen tensors, while those of a step are still there."""
        self._frozen_graded = [
            base_name(name)
            for name, parameter in self._model.named_parameters()
            if not parameter.requires_grad and parameter.grad is not None
        ]

    def conclude(self, ledger: GradientLedger) -> dict[str, Any]:
        """The observed facts, as the receipt has them.

        Raises:
            EvidenceError: a trainable tensor saw no gradient or did not change, or a frozen one
                changed or holds a gradient; each is named.
        """
        now = trainable(self._model)
        unchanged = [n for n, p in now.items() if tensor_digest(p) == self._trainable_before.get(n)]
        unseen = sorted(set(now) - ledger.seen)
        after = frozen_digests(self._model, self._partition)
        problems = [Problem("trainable, but saw no gradient", where=name) for name in unseen]
        problems += [
            Problem("trainable, but did not change", where=name)
            for name in unchanged
            if name not in unseen
        ]
        problems += [
            Problem("is not finite any more; lower the learning rate", where=name)
            for name, parameter in now.items()
            if not torch.isfinite(parameter).all()
        ]
        problems += [
            Problem("frozen, but got a gradient", where=name) for name in self._frozen_graded
        ]
        problems += [
            Problem("frozen, but its weights changed during the run", where=part)
            for part in after
            if after[part] != self.frozen_before.get(part)
        ]
        if problems:
            raise EvidenceError(*problems)
        return {
            "parameters_before_peft": self.before_peft,
            "parameters_after_peft": self.after_peft,
            "adapters_per_part": self._adapters(),
            "tensors_with_gradient": len(ledger.seen),
            "tensors_trainable": len(now),
            "tensors_changed": len(now) - len(unchanged),
            "frozen_digests_before": self.frozen_before,
            "frozen_digests_after": after,
        }

    def _adapters(self) -> dict[str, int]:
        """How many LoRA pairs each part has; parts without any are named too."""
        counts = {part: 0 for part in self.after_peft}
        for name, part in self._partition.parts.items():
            if ".lora_A." in name:
                counts[part] += 1
        return {str(part): count for part, count in counts.items()}
