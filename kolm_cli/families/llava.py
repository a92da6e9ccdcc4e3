"""LLaVA-1.5: CLIP and a two-layer projector before a Llama; its template has no end token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.families.base import Family, Paper
from kolm_cli.families.tiny import templates, tokens, towers
from kolm_cli.families.unused_layers import beyond_feature_layer

_SPECIAL = ("<s>", "</s>", "<pad>", "<image>")


@dataclass(frozen=True)
class Llava(Family):
    """LLaVA-1.5 (arXiv:2310.03744)."""

    def claims_config(self, config: Mapping[str, Any]) -> bool:
        """Pixtral is published under the same `model_type`, with a tower of its own."""
        vision = config.get("vision_config") or {}
        return super().claims_config(config) and vision.get("model_type") != "pixtral"

    def never_used(self, model: Any) -> tuple[str, ...]:
        """What comes after the feature layer."""
        return (*super().never_used(model), *beyond_feature_layer(model))

    def write_tiny(
        self, folder: Path, *, seed: int, width: int, layers: int, variant: str = ""
    ) -> None:
        """Write a random base: images of 28 px in four patches."""
        from transformers import (
            CLIPImageProcessor,
            LlavaConfig,
            LlavaForConditionalGeneration,
            LlavaProcessor,
        )

        config = LlavaConfig(
            text_config={
                "model_type": "llama",
                **towers.decoder(width, layers, _SPECIAL, bos="<s>", eos="</s>", pad="<pad>"),
            },
            vision_config={"model_type": "clip_vision_model", **towers.tower(image=28, patch=14)},
            image_token_index=tokens.token_id(_SPECIAL, "<image>"),
            vision_feature_layer=-2,
            vision_feature_select_strategy="default",
        )
        processor = LlavaProcessor(
            image_processor=CLIPImageProcessor(
                size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}
            ),
            tokenizer=tokens.byte_tokenizer(
                _SPECIAL, add_bos=True, bos="<s>", eos="</s>", pad="<pad>"
            ),
            patch_size=14,
            vision_feature_select_strategy="default",
            chat_template=templates.VICUNA,
            num_additional_image_tokens=1,
        )
        towers.write(folder, LlavaForConditionalGeneration, config, processor, seed=seed)


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
    language=("model.language_model",),
)
