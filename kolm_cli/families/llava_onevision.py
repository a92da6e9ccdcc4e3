"""LLaVA-OneVision: SigLIP at several resolutions before Qwen2; one image is shown in crops."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.families.base import Family, Paper
from kolm_cli.families.tiny import templates, tokens, towers
from kolm_cli.families.unused_layers import beyond_feature_layer

_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>")
_PINPOINTS = [[28, 28], [28, 56], [56, 28], [56, 56]]


@dataclass(frozen=True)
class LlavaOnevision(Family):
    """LLaVA-OneVision (arXiv:2408.03326)."""

    def render(self, processor: Any, messages: list[dict[str, Any]], *, prompt: bool) -> str:
        """Open every answer as the published template opens the one that it asks for.

        It writes `assistant`, a space and a newline before an answer that is there, but no
        space before one that is asked for: a model trained on the first would meet the second.
        """
        text = super().render(processor, messages, prompt=prompt)
        return text.replace("<|im_start|>assistant \n", "<|im_start|>assistant\n")

    def never_used(self, model: Any) -> tuple[str, ...]:
        """What comes after the feature layer."""
        return (*super().never_used(model), *beyond_feature_layer(model))

    def write_tiny(
        self, folder: Path, *, seed: int, width: int, layers: int, variant: str = ""
    ) -> None:
        """Write a random base: crops of 28 px in four patches."""
        from transformers import (
            LlavaOnevisionConfig,
            LlavaOnevisionForConditionalGeneration,
            LlavaOnevisionImageProcessor,
            LlavaOnevisionProcessor,
            LlavaOnevisionVideoProcessor,
        )

        config = LlavaOnevisionConfig(
            text_config={
                "model_type": "qwen2",
                **towers.decoder(
                    width, layers, _SPECIAL, bos=None, eos="<|im_end|>", pad="<|endoftext|>"
                ),
            },
            vision_config={
                "model_type": "siglip_vision_model",
                "vision_use_head": False,
                **towers.tower(image=28, patch=14),
            },
            image_token_index=tokens.token_id(_SPECIAL, "<image>"),
            video_token_index=tokens.token_id(_SPECIAL, "<video>"),
            image_grid_pinpoints=_PINPOINTS,
            vision_feature_layer=-1,
            vision_feature_select_strategy="full",
            tie_word_embeddings=True,
        )
        size = {"height": 28, "width": 28}
        processor = LlavaOnevisionProcessor(
            image_processor=LlavaOnevisionImageProcessor(
                size=size, image_grid_pinpoints=_PINPOINTS
            ),
            tokenizer=tokens.byte_tokenizer(_SPECIAL, eos="<|im_end|>", pad="<|endoftext|>"),
            video_processor=LlavaOnevisionVideoProcessor(size=size),
            num_image_tokens=4,
            vision_feature_select_strategy="full",
            chat_template=templates.ONEVISION,
        )
        towers.write(folder, LlavaOnevisionForConditionalGeneration, config, processor, seed=seed)


FAMILY = LlavaOnevision(
    name="llava_onevision",
    model_types=("llava_onevision",),
    id_patterns=("*llava-onevision*", "*llava_onevision*"),
    written_for=(
        "llava-hf/llava-onevision-qwen2-0.5b-ov-hf",
        "llava-hf/llava-onevision-qwen2-7b-ov-hf",
    ),
    papers=(
        Paper("LLaVA-OneVision: Easy Visual Task Transfer", "https://arxiv.org/abs/2408.03326"),
    ),
    vision=("model.vision_tower",),
    projector=("model.multi_modal_projector", "model.image_newline"),
    language=("model.language_model",),
    image_keys=("pixel_values", "image_sizes", "batch_num_images"),
)
