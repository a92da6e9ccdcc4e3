"""Merging: the trained tensors in the base's own weights, as they ship and as they are scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors.torch import load_file
from torch import nn

from kolm_cli.core import canonical_json
from kolm_cli.core.errors import Problem, VerificationError
from kolm_cli.trainer.adapter_files import ADAPTER_CONFIG, ADAPTER_FILE, FULL_PARTS

_PEFT_PREFIX = "base_model.model."
_A, _B = ".lora_A.weight", ".lora_B.weight"


@dataclass(frozen=True)
class Update:
    """What LoRA adds to one weight: `scale * B @ A`.

    Attributes:
        a: [rank, in].
        b: [out, rank].
        scale: alpha over the rank.
    """

    a: torch.Tensor
    b: torch.Tensor
    scale: float

    def added_to(self, weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """The merged weight, rounded once.

        In double precision, so that neither the machine nor its threads show in the result.
        """
        # What the model computes with is the weight in that type, and not a finer one beside it.
        held = weight.detach().to("cpu", dtype).double()
        return held.add_(self.b.double() @ self.a.double(), alpha=self.scale).to(dtype)


@dataclass(frozen=True)
class Trained:
    """What a bundle's adapter makes of its base, by the base's own parameter names.

    Attributes:
        updates: what LoRA adds to a weight.
        full: what replaces a parameter.
    """

    updates: Mapping[str, Update]
    full: Mapping[str, torch.Tensor]

    @classmethod
    def read(cls, folder: Path) -> Trained:
        """Read the files of an adapter.

        Raises:
            VerificationError: its matrices are not pairs.
        """
        stored = load_file(folder / ADAPTER_FILE)
        config = canonical_json.loads((folder / ADAPTER_CONFIG).read_bytes(), max_bytes=1 << 20)
        updates, odd = {}, []
        for name, tensor in stored.items():
            layer = name.removeprefix(_PEFT_PREFIX).removesuffix(_A).removesuffix(_B)
            b = stored.get(f"{_PEFT_PREFIX}{layer}{_B}")
            if name.endswith(_A) and b is not None and b.shape[1:] == tensor.shape[:1]:
                scale = alpha_of(config, layer) / tensor.shape[0]
                updates[f"{layer}.weight"] = Update(tensor, b, scale)
            elif not name.endswith(_B) or f"{_PEFT_PREFIX}{layer}{_A}" not in stored:
                odd.append(name)
        if odd:
            raise VerificationError(f"the adapter has half a pair of matrices: {sorted(odd)[:3]}")
        full: dict[str, torch.Tensor] = {}
        for part in FULL_PARTS:
            path = folder / f"{part}.safetensors"
            full |= load_file(path) if path.is_file() else {}
        return cls(updates, full)

    def names(self) -> frozenset[str]:
        """Every parameter of the base that is another one afterwards."""
        return frozenset({*self.updates, *self.full})

    def applied_to(self, name: str, tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """What the parameter `name` of the base becomes, in `dtype`.

        Raises:
            VerificationError: what was trained has another shape.
        """
        update, whole = self.updates.get(name), self.full.get(name)
        shape = whole.shape if whole is not None else tensor.shape
        if update is not None:
            shape = torch.Size((update.b.shape[0], update.a.shape[1]))
        if shape != tensor.shape:
            raise VerificationError(
                f"{name} is {list(tensor.shape)} in the base, and {list(shape)} in the bundle"
            )
        if update is not None:
            return update.added_to(tensor, dtype)
        return (tensor if whole is None else whole).detach().to("cpu", dtype)


def alpha_of(config: Mapping[str, Any], layer: str) -> float:
    """LoRA's alpha of one layer: its own where the adapter's configuration names it."""
    return float(config.get("alpha_pattern", {}).get(layer, config["lora_alpha"]))


def merge(model: nn.Module, folder: Path, *, bf16: bool) -> nn.Module:
    """Put what was trained into a base's weights.

    Args:
        model: the base, or the base with its adapter, which is taken off.
        folder: the adapter's files.
        bf16: whether the base is loaded in bf16, else in fp32.

    Raises:
        VerificationError: something that was trained has no place in the base.
    """
    if isinstance(model, PeftModel):
        model = model.unload()
    trained, parameters = Trained.read(folder), dict(model.named_parameters())
    homeless = sorted(trained.names() - parameters.keys())
    if homeless:
        raise VerificationError(
            *(Problem(f"the base has no {name}", where=folder.name) for name in homeless[:8])
        )
    dtype = torch.bfloat16 if bf16 else torch.float32
    for name in sorted(trained.names()):
        parameter = parameters[name]
        merged = trained.applied_to(name, parameter, dtype)
        parameter.data = merged.to(parameter.device)
    return model.requires_grad_(False)
