"""Pixtral: LLaVA's class around a tower of its own, at native resolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kolm_cli.families import image_limits, shown
from kolm_cli.families.base import Family, Paper, Takes


@dataclass(frozen=True)
class Pixtral(Family):
    """Pixtral 12B (arXiv:2410.07073)."""

    def claims_config(self, config: Mapping[str, Any]) -> bool:
        """Its `model_type` is LLaVA's; only the tower tells them apart."""
        vision = config.get("vision_config") or {}
        return super().claims_config(config) and vision.get("model_type") == "pixtral"


# The template moves a system prompt to the last question: a later turn would rewrite an earlier
# one, so that it is refused.
FAMILY = Pixtral(
    name="pixtral",
    model_types=("llava",),
    id_patterns=("*pixtral*",),
    written_for=("mistral-community/pixtral-12b",),
    papers=(Paper("Pixtral 12B", "https://arxiv.org/abs/2410.07073"),),
    vision=("model.vision_tower",),
    projector=("model.multi_modal_projector",),
    projector_lora=("linear_1", "linear_2"),
    language=("model.language_model",),
    takes=Takes(system=False),
    image_sizing=image_limits.LONGEST_EDGE,
    shown_size=shown.patches_within_edge,
)
