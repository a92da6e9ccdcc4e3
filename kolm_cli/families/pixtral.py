"""Pixtral: LLaVA's class around a tower of its own, at native resolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.families.base import Family, Paper, Takes
from kolm_cli.families.mistral3 import SPECIAL, pixtral_processor, text_config, vision_config
from kolm_cli.families.tiny import templates, tokens, towers


@dataclass(frozen=True)
class Pixtral(Family):
    """Pixtral 12B (arXiv:2410.07073)."""

    def claims_config(self, config: Mapping[str, Any]) -> bool:
        """Its `model_type` is LLaVA's; only the tower tells them apart."""
        vision = config.get("vision_config") or {}
        return super().claims_config(config) and vision.get("model_type") == "pixtral"

    def write_tiny(
        self, folder: Path, *, seed: int, width: int, layers: int, variant: str = ""
    ) -> None:
        """Write a random base: images of at most 56 px, patches of 14 px."""
        from transformers import LlavaConfig, LlavaForConditionalGeneration

        config = LlavaConfig(
            text_config=text_config(width, layers),
            vision_config=vision_config(),
            image_token_index=tokens.token_id(SPECIAL, "[IMG]"),
            vision_feature_layer=-1,
            vision_feature_select_strategy="full",
        )
        processor = pixtral_processor(templates.PIXTRAL, merge=1)
        towers.write(folder, LlavaForConditionalGeneration, config, processor, seed=seed)


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
    language=("model.language_model",),
    takes=Takes(system=False),
)
