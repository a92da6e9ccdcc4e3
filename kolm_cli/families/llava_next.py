"""LLaVA-1.6 (LLaVA-NeXT): crops at several resolutions, and a trained newline between rows."""

from __future__ import annotations

from kolm_cli.families import image_limits, shown
from kolm_cli.families.base import Paper
from kolm_cli.families.feature_layer import FromFeatureLayer

FAMILY = FromFeatureLayer(
    name="llava_next",
    model_types=("llava_next",),
    id_patterns=("*llava-v1.6*", "*llava-1.6*", "*llava-next*", "*llama3-llava-next*"),
    written_for=(
        "llava-hf/llava-v1.6-mistral-7b-hf",
        "llava-hf/llava-v1.6-vicuna-7b-hf",
        "llava-hf/llava-v1.6-vicuna-13b-hf",
        "llava-hf/llava-v1.6-34b-hf",
        "llava-hf/llama3-llava-next-8b-hf",
        "llava-hf/llava-next-72b-hf",
    ),
    papers=(
        Paper(
            "LLaVA-NeXT: Improved reasoning, OCR, and world knowledge",
            "https://llava-vl.github.io/blog/2024-01-30-llava-next/",
        ),
        Paper(
            "Improved Baselines with Visual Instruction Tuning", "https://arxiv.org/abs/2310.03744"
        ),
    ),
    vision=("model.vision_tower",),
    projector=("model.multi_modal_projector", "model.image_newline"),
    projector_lora=("linear_1", "linear_2"),
    language=("model.language_model",),
    image_sizing=image_limits.PINPOINTS,
    shown_size=shown.within_grid,
)
