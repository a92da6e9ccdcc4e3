"""Gemma 3: SigLIP pooled to a fixed count of tokens, which see each other both ways."""

from __future__ import annotations

from kolm_cli.families import shown
from kolm_cli.families.base import Family, Paper

FAMILY = Family(
    name="gemma3",
    model_types=("gemma3",),
    id_patterns=("*gemma-3-4b*", "*gemma-3-12b*", "*gemma-3-27b*", "*medgemma-4b*"),
    written_for=("google/gemma-3-4b-it", "google/gemma-3-12b-it", "google/gemma-3-27b-it"),
    papers=(Paper("Gemma 3 Technical Report", "https://arxiv.org/abs/2503.19786"),),
    vision=("model.vision_tower",),
    projector=("model.multi_modal_projector",),
    language=("model.language_model",),
    end_tokens=("<end_of_turn>",),
    shown_size=shown.one_size,
)
