"""Qwen2-VL: a tower at native resolution; the merger inside `visual` is the projector."""

from __future__ import annotations

from kolm_cli.families import coordinates, image_limits, shown
from kolm_cli.families.base import QWEN_BOXES, Family, Paper

FAMILY = Family(
    name="qwen2_vl",
    model_types=("qwen2_vl",),
    id_patterns=("*qwen2-vl*", "*qwen2_vl*"),
    written_for=(
        "Qwen/Qwen2-VL-2B-Instruct",
        "Qwen/Qwen2-VL-7B-Instruct",
        "Qwen/Qwen2-VL-72B-Instruct",
    ),
    papers=(
        Paper(
            "Qwen2-VL: Enhancing Vision-Language Model's Perception of the World at Any Resolution",
            "https://arxiv.org/abs/2409.12191",
        ),
    ),
    vision=("model.visual",),
    projector=("model.visual.merger",),
    projector_lora=("mlp.0", "mlp.2"),
    language=("model.language_model",),
    content_tokens=QWEN_BOXES,
    coordinates=coordinates.QWEN2_VL,
    image_sizing=image_limits.PIXELS_28,
    shown_size=shown.merged_patches,
)
