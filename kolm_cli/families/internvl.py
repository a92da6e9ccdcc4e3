"""InternVL (the transformers-native conversions): tiles of an image before Qwen2 or Llama."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kolm_cli.families import coordinates, image_limits, shown
from kolm_cli.families.base import Family, Paper


@dataclass(frozen=True)
class InternVL(Family):
    """InternVL 3 and later (arXiv:2504.10479)."""

    def encode(self, processor: Any, text: str, images: list[Any]) -> dict[str, Any]:
        """Make the tensors here: the processor would try to make one of the replacements too."""
        import torch

        features = dict(processor(text=[text], **self.encode_options(processor, text, images)))
        for key in ("input_ids", "attention_mask", "offset_mapping"):
            features[key] = torch.tensor(features[key])
        if images:
            features["pixel_values"] = torch.stack(list(features["pixel_values"]))
        return features

    def never_used(self, model: Any) -> tuple[str, ...]:
        """The last norm is in place of mean pooling, and nothing reads it."""
        return (*super().never_used(model), "model.vision_tower.layernorm.*")


FAMILY = InternVL(
    name="internvl",
    model_types=("internvl",),
    id_patterns=("*internvl*",),
    written_for=(
        "OpenGVLab/InternVL3-1B-hf",
        "OpenGVLab/InternVL3-8B-hf",
        "OpenGVLab/InternVL3_5-8B-HF",
    ),
    papers=(
        Paper(
            "InternVL3: Exploring Advanced Training and Test-Time Recipes",
            "https://arxiv.org/abs/2504.10479",
        ),
    ),
    vision=("model.vision_tower",),
    projector=("model.multi_modal_projector",),
    projector_lora=("linear_1", "linear_2"),
    language=("model.language_model",),
    coordinates=coordinates.INTERNVL,
    image_sizing=image_limits.MAX_PATCHES,
    shown_size=shown.optimal_tiles,
)
