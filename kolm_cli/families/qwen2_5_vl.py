"""Qwen2.5-VL: window attention in the tower; the merger inside `visual` is the projector."""

from __future__ import annotations

from kolm_cli.families import coordinates, image_limits, shown, vision_features
from kolm_cli.families.base import QWEN_BOXES, Family, Paper

FAMILY = Family(
    name="qwen2_5_vl",
    model_types=("qwen2_5_vl",),
    id_patterns=("*qwen2.5-vl*", "*qwen2_5_vl*", "*qwen2-5-vl*"),
    written_for=(
        "Qwen/Qwen2.5-VL-3B-Instruct",
        "Qwen/Qwen2.5-VL-7B-Instruct",
        "Qwen/Qwen2.5-VL-72B-Instruct",
    ),
    papers=(Paper("Qwen2.5-VL Technical Report", "https://arxiv.org/abs/2502.13923"),),
    vision=("model.visual",),
    projector=("model.visual.merger",),
    projector_lora=("mlp.0", "mlp.2"),
    language=("model.language_model",),
    content_tokens=QWEN_BOXES,
    vision_features=vision_features.QWEN2_5_VL,
    coordinates=coordinates.QWEN2_5_VL,
    image_sizing=image_limits.PIXELS_28,
    shown_size=shown.merged_patches,
)
