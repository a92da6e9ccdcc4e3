"""Qwen3-VL: besides the merger, deep-stack mergers feed early language layers; all project."""

from __future__ import annotations

from kolm_cli.families import coordinates, image_limits, shown
from kolm_cli.families.base import QWEN_BOXES, Family, Paper

FAMILY = Family(
    name="qwen3_vl",
    model_types=("qwen3_vl",),
    id_patterns=("*qwen3-vl*", "*qwen3_vl*"),
    written_for=(
        "Qwen/Qwen3-VL-2B-Instruct",
        "Qwen/Qwen3-VL-4B-Instruct",
        "Qwen/Qwen3-VL-8B-Instruct",
    ),
    papers=(Paper("Qwen3-VL Technical Report", "https://arxiv.org/abs/2511.21631"),),
    vision=("model.visual",),
    projector=("model.visual.merger", "model.visual.deepstack_merger_list"),
    projector_lora=("linear_fc1", "linear_fc2"),
    language=("model.language_model",),
    content_tokens=QWEN_BOXES,
    coordinates=coordinates.QWEN3_VL,
    image_sizing=image_limits.PIXELS_32,
    shown_size=shown.merged_patches,
)
