"""The adapter on disk: what plain `peft` loads, and the parts that were trained in full."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from kolm_cli.bundle.format.modules import ListedTensor, ModuleLists, TrainableTensor
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import InputError, Problem, VerificationError
from kolm_cli.core.files import write_atomic
from kolm_cli.core.globs import matches_any
from kolm_cli.families.base import Family, PartName
from kolm_cli.trainer.lora import ranks_of
from kolm_cli.trainer.partition import Partition, base_name, parameters_of

ADAPTER_FILE = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
# One key only: safetensors writes several in an unstable order.
_METADATA = {"format": "pt"}
_WRAPPED = "base_model.model."
_DTYPES = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16", torch.int8: "I8"}
FULL_PARTS: tuple[PartName, ...] = ("projector", "vision")


def _stored(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}


def full_weights(model: nn.Module, partition: Partition, part: PartName) -> dict[str, torch.Tensor]:
    """Base name to tensor for everything of `part` that trains in full."""
    return {
        base_name(name): parameter
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
        and ".lora_" not in name
        and partition.parts[base_name(name)] == part
    }


def save_full_parts(model: nn.Module, partition: Partition, folder: Path) -> list[Path]:
    """Write `projector.safetensors` and `vision.safetensors` for the parts that train in full.

    PEFT's own checkpoint leaves them out without a word.
    """
    written = []
    for part in FULL_PARTS:
        weights = full_weights(model, partition, part)
        if weights:
            path = folder / f"{part}.safetensors"
            save_file(_stored(weights), path, metadata=_METADATA)
            written.append(path)
    return written


def load_full_parts(model: nn.Module, family: Family, folder: Path) -> None:
    """Load what `save_full_parts` wrote, strictly.

    Raises:
        VerificationError: the file does not hold exactly the part's tensors, in their shapes.
    """
    partition, idle = Partition.of(family, model), family.never_used(model)
    for part in FULL_PARTS:
        path = folder / f"{part}.safetensors"
        if not path.is_file():
            continue
        stored = load_file(path)
        targets = {
            name: parameter
            for name, parameter in parameters_of(model, partition, part)
            if part != "vision" or not matches_any(name, idle)
        }
        wrong = {
            "missing": targets.keys() - stored.keys(),
            "unexpected": stored.keys() - targets.keys(),
            "of another shape": {
                name
                for name in targets.keys() & stored.keys()
                if targets[name].shape != stored[name].shape
            },
        }
        found = [f"{kind} {sorted(names)[:3]}" for kind, names in wrong.items() if names]
        if found:
            raise VerificationError(
                f"the tensors of {path.name} do not fit the base: {', '.join(found)}"
            )
        for name, tensor in stored.items():
            # Trained weights are fp32, whatever the frozen base was loaded in.
            targets[name].data = tensor.to(targets[name].device)


def save_adapter(model: PeftModel, partition: Partition, base: str, folder: Path) -> None:
    """Write the adapter so that equal weights give equal bytes.

    Args:
        model: the trained PEFT model.
        partition: its partition.
        base: what the bundle calls the base; never a path.
        folder: an existing folder.
    """
    save_file(
        _stored(get_peft_model_state_dict(model, save_embedding_layers=False)),
        folder / ADAPTER_FILE,
        metadata=_METADATA,
    )
    save_full_parts(model, partition, folder)
    write_atomic(folder / ADAPTER_CONFIG, canonical_json.dumps(_adapter_config(model, base)))


def _adapter_config(model: PeftModel, base: str) -> dict[str, Any]:
    """The allow list of what PEFT needs: its own file holds paths, versions and a set."""
    config: Any = model.peft_config["default"]
    # Only where a part has a rank of its own: an adapter without one keeps the bytes it had.
    own = {name: getattr(config, name) for name in ("rank_pattern", "alpha_pattern")}
    return {
        **{name: dict(pattern) for name, pattern in own.items() if pattern},
        "base_model_name_or_path": base,
        "bias": config.bias,
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "lora_alpha": config.lora_alpha,
        "lora_dropout": config.lora_dropout,
        "peft_type": "LORA",
        "r": config.r,
        "target_modules": config.target_modules,
        "task_type": "CAUSAL_LM",
        "use_dora": False,
        "use_rslora": False,
    }


def load_adapter(model: nn.Module, family: Family, folder: Path) -> PeftModel:
    """Attach a saved adapter to a fresh base, strictly, to do what the trained model does.

    Raises:
        VerificationError: the adapter's tensors are not exactly the ones that the model takes.
    """
    # Before PEFT makes room for what a configuration asks for: the file has to hold it.
    _check_layers(model, folder)
    # As it was trained: torch multiplies by tensors that take a gradient in another order.
    wrapped = PeftModel.from_pretrained(model, str(folder), is_trainable=True)
    load_full_parts(wrapped, family, folder)
    return wrapped


def start_from(model: PeftModel, family: Family, folder: Path) -> None:
    """Give a model that is about to be trained the weights of an earlier adapter, strictly.

    Raises:
        InputError: that adapter has another shape, or other parts of it were trained.
    """
    stored = load_file(folder / ADAPTER_FILE)
    taken = get_peft_model_state_dict(model, save_embedding_layers=False)
    differing = sorted(
        name
        for name in stored.keys() | taken.keys()
        if name not in stored or name not in taken or stored[name].shape != taken[name].shape
    )
    partition = Partition.of(family, model)
    differing += [
        f"{part}.safetensors"
        for part in FULL_PARTS
        if (folder / f"{part}.safetensors").is_file() != bool(full_weights(model, partition, part))
    ]
    if differing:
        raise InputError(
            Problem(
                f"the adapter to start from differs in {len(differing)} tensors or parts, such as"
                f" {', '.join(differing[:3])}",
                where="base.adapter",
                fix="train the same parts with the same lora_r and lora_targets",
            )
        )
    set_peft_model_state_dict(model, stored)
    load_full_parts(model, family, folder)


def _check_layers(model: nn.Module, folder: Path) -> None:
    config = canonical_json.loads((folder / ADAPTER_CONFIG).read_bytes(), max_bytes=1 << 20)
    targets = re.compile(config["target_modules"])
    taken = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and targets.fullmatch(name):
            rank = ranks_of(config, name)
            taken[f"{_WRAPPED}{name}.lora_A.weight"] = [rank, module.in_features]
            taken[f"{_WRAPPED}{name}.lora_B.weight"] = [module.out_features, rank]
    with safe_open(folder / ADAPTER_FILE, framework="pt") as stored:
        held = {name: stored.get_slice(name).get_shape() for name in stored.keys()}  # noqa: SIM118
    if held != taken:
        differing = [name for name in taken.keys() & held.keys() if taken[name] != held[name]]
        raise VerificationError(
            "the adapter's tensors do not fit the base: missing"
            f" {sorted(taken.keys() - held.keys())[:3]}, unexpected"
            f" {sorted(held.keys() - taken.keys())[:3]}, of another shape {sorted(differing)[:3]}"
        )


def module_lists(model: nn.Module, partition: Partition) -> ModuleLists:
    """`modules.json`: every parameter, trainable or frozen, read from the model as it is."""
    trainable, frozen = [], []
    for runtime_name, parameter in model.named_parameters():
        name = base_name(runtime_name)
        part, shape = partition.parts[name], tuple(parameter.shape)
        dtype = _DTYPES.get(parameter.dtype, str(parameter.dtype))
        if not parameter.requires_grad:
            frozen.append(ListedTensor(name, part, shape, dtype))
            continue
        if ".lora_" in runtime_name:
            place = ("lora", f"adapter/{ADAPTER_FILE}", f"{_WRAPPED}{name}")
        else:
            place = ("full", f"adapter/{part}.safetensors", name)
        trainable.append(TrainableTensor(name, part, shape, dtype, *place))
    return ModuleLists.of(trainable, frozen)
