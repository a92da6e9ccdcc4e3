"""LLaVA-1.6 (LLaVA-NeXT): crops at several resolutions, and a trained newline between rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.families.base import Family, Paper
from kolm_cli.families.tiny import templates, tokens, towers
from kolm_cli.families.unused_layers import beyond_feature_layer

_SPECIAL = ("<s>", "</s>", "<pad>", "<image>", "<|im_start|>", "<|im_end|>")
# variant: language tower, template, start, end
_VARIANTS = {
    "mistral": ("mistral", templates.MISTRAL_MISSPELT, "<s>", "</s>"),
    "vicuna": ("llama", templates.VICUNA, "<s>", "</s>"),
    "qwen2": ("qwen2", templates.CHATML_IMAGES_FIRST, None, "<|im_end|>"),
}
_PINPOINTS = [[28, 56], [56, 28], [56, 56]]


@dataclass(frozen=True)
class LlavaNext(Family):
    """LLaVA-1.6 with Vicuna, Mistral, Llama 3, Yi and Qwen2 language towers."""

    def never_used(self, model: Any) -> tuple[str, ...]:
        """What comes after the feature layer."""
        return (*super().never_used(model), *beyond_feature_layer(model))

    def write_tiny(
        self, folder: Path, *, seed: int, width: int, layers: int, variant: str = ""
    ) -> None:
        """Write a random base: crops of 28 px in four patches, two to four crops an image."""
        from transformers import (
            LlavaNextConfig,
            LlavaNextForConditionalGeneration,
            LlavaNextImageProcessor,
            LlavaNextProcessor,
        )

        kind, template, start, end = _VARIANTS[variant or self.tiny_variants[0]]
        config = LlavaNextConfig(
            text_config={
                "model_type": kind,
                **towers.decoder(width, layers, _SPECIAL, bos=start, eos=end, pad="<pad>"),
            },
            vision_config={"model_type": "clip_vision_model", **towers.tower(image=28, patch=14)},
            image_token_index=tokens.token_id(_SPECIAL, "<image>"),
            image_grid_pinpoints=_PINPOINTS,
            vision_feature_layer=-2,
            vision_feature_select_strategy="default",
        )
        processor = LlavaNextProcessor(
            image_processor=LlavaNextImageProcessor(
                size={"shortest_edge": 28},
                crop_size={"height": 28, "width": 28},
                image_grid_pinpoints=_PINPOINTS,
            ),
            tokenizer=tokens.byte_tokenizer(
                _SPECIAL, add_bos=bool(start), eos=end, pad="<pad>", bos=start
            ),
            patch_size=14,
            vision_feature_select_strategy="default",
            chat_template=template,
            num_additional_image_tokens=1,
        )
        towers.write(folder, LlavaNextForConditionalGeneration, config, processor, seed=seed)


FAMILY = LlavaNext(
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
    language=("model.language_model",),
    tiny_variants=tuple(_VARIANTS),
)
