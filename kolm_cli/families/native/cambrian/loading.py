"""A published checkpoint holds neither encoders nor a processor: both are found by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.families import companions
from kolm_cli.families.native.cambrian.encoders import PUBLISHED
from kolm_cli.families.native.cambrian.image_processing import CambrianImageProcessor
from kolm_cli.families.native.cambrian.processing import CambrianProcessor

_PREFIX = "model.vision_tower_aux_list"
# open_clip's names of a ConvNeXt, and transformers'.
_FROM_OPEN_CLIP = (
    (r"^visual\.trunk\.", ""),
    (r"^stem\.0\.", "embeddings.patch_embeddings."),
    (r"^stem\.1\.", "embeddings.layernorm."),
    (r"^stages\.", "encoder.stages."),
    (r"\.downsample\.", ".downsampling_layer."),
    (r"\.blocks\.", ".layers."),
    (r"\.conv_dw\.", ".dwconv."),
    (r"\.norm\.", ".layernorm."),
    (r"\.mlp\.fc1\.", ".pwconv1."),
    (r"\.mlp\.fc2\.", ".pwconv2."),
    (r"\.gamma$", ".layer_scale_parameter"),
)


# Vicuna's tokenizer has no template; its answers end with the end token, its questions do not.
_VICUNA_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m['role'] == 'system' %}{{ m['content'] + ' ' }}"
    "{% elif m['role'] == 'user' %}{{ 'USER: ' + m['content'] + ' ' }}"
    "{% else %}{{ 'ASSISTANT: ' + m['content'] + eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)


def published_processor(source: str, **options: Any) -> CambrianProcessor:
    """The tokenizer of a checkpoint, and the pictures that the published encoders are shown."""
    tokenizer = AutoTokenizer.from_pretrained(source, **options)
    if tokenizer.chat_template is None:
        tokenizer.chat_template = _VICUNA_TEMPLATE
    return CambrianProcessor(image_processor=CambrianImageProcessor(), tokenizer=tokenizer)


def load_encoders(model: Any, missing: set[str]) -> set[str]:
    """Load every encoder that the checkpoint did not hold from its own.

    Args:
        model: the model.
        missing: the names that its checkpoint lacked.

    Returns:
        those of them that are still missing.

    Raises:
        LackingError: names every encoder that is not on this machine and cannot be fetched.
        InputError: an encoder's checkpoint is not what its name says.
    """
    names = model.config.mm_vision_tower_aux_list
    absent = [
        index
        for index in range(len(names))
        if any(name.startswith(f"{_PREFIX}.{index}.") for name in missing)
    ]
    found = companions.find([PUBLISHED[names[index]].repository for index in absent])
    for index, companion in zip(absent, found, strict=True):
        folder = companion.folder
        encoder = model.model.vision_tower_aux_list[index]
        kind = encoder.kind
        weights = _open_clip(folder) if kind == "convnext" else _own(folder, encoder.vision_tower)
        left, unknown = encoder.vision_tower.load_state_dict(weights, strict=False)
        # Its last norm belongs to pooling, which nothing reads.
        wrong = [name for name in left if kind != "convnext" or not name.startswith("layernorm.")]
        if wrong or unknown:
            raise InputError(
                *[Problem(f"not as expected: {name}", names[index]) for name in (*wrong, *unknown)]
            )
        missing = {name for name in missing if not name.startswith(f"{_PREFIX}.{index}.")}
    return missing


def _own(folder: Path, tower: Any) -> dict[str, torch.Tensor]:
    """The weights of an encoder in transformers' form, in the type that the model has."""
    loaded = type(tower).from_pretrained(
        str(folder), config=tower.config, dtype=tower.dtype, local_files_only=True
    )
    weights: dict[str, torch.Tensor] = loaded.state_dict()
    return weights


def _open_clip(folder: Path) -> dict[str, torch.Tensor]:
    """The image tower of an open_clip checkpoint, under transformers' names."""
    [file] = sorted(folder.glob("open_clip*.safetensors"))[:1] or [folder / "model.safetensors"]
    renamed = {}
    for name, tensor in load_file(file).items():
        if name.startswith("visual.trunk.") and ".head." not in name:
            for pattern, replacement in _FROM_OPEN_CLIP:
                name = re.sub(pattern, replacement, name)
            renamed[name] = tensor
    return renamed


__all__ = ["load_encoders", "published_processor"]
