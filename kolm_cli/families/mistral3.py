"""Mistral Small 3.1 and later: Pixtral's tower at native resolution, with patches merged."""

from __future__ import annotations

from kolm_cli.families import image_limits, shown
from kolm_cli.families.base import Family, Paper

FAMILY = Family(
    name="mistral3",
    model_types=("mistral3",),
    id_patterns=("*mistral-small-3.[1-9]*", "*ministral-3-*"),
    written_for=(
        "mistralai/Mistral-Small-3.1-24B-Instruct-2503",
        "mistralai/Mistral-Small-3.2-24B-Instruct-2506",
    ),
    papers=(Paper("Pixtral 12B", "https://arxiv.org/abs/2410.07073"),),
    vision=("model.vision_tower",),
    projector=("model.multi_modal_projector",),
    projector_lora=("linear_1", "linear_2", "merging_layer"),
    language=("model.language_model",),
    image_sizing=image_limits.LONGEST_EDGE,
    shown_size=shown.patches_within_edge,
)
