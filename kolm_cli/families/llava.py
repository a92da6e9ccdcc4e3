"""LLaVA-1.5: CLIP and a two-layer projector before a Llama; its template has no end token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image as PILImage

from kolm_cli.families import shown
from kolm_cli.families.base import Paper
from kolm_cli.families.coordinates import Size
from kolm_cli.families.feature_layer import FromFeatureLayer


@dataclass(frozen=True)
class Llava(FromFeatureLayer):
    """LLaVA-1.5 (arXiv:2310.03744)."""

    def claims_config(self, config: Mapping[str, Any]) -> bool:
        """Pixtral is published under the same `model_type`, with a tower of its own."""
        vision = config.get("vision_config") or {}
        return super().claims_config(config) and vision.get("model_type") != "pixtral"

    def sketch(self, size: Size) -> Any:
        """Its processor looks at the pixels' shape in numpy, and every picture has one size."""
        return PILImage.new("RGB", (32, 32))


FAMILY = Llava(
    name="llava",
    model_types=("llava",),
    id_patterns=("*llava-1.5*", "*llava-v1.5*", "*bakllava*"),
    written_for=("llava-hf/llava-1.5-7b-hf", "llava-hf/llava-1.5-13b-hf"),
    papers=(
        Paper(
            "Improved Baselines with Visual Instruction Tuning", "https://arxiv.org/abs/2310.03744"
        ),
    ),
    vision=("model.vision_tower",),
    projector=("model.multi_modal_projector",),
    projector_lora=("linear_1", "linear_2"),
    language=("model.language_model",),
    shown_size=shown.one_size,
)
