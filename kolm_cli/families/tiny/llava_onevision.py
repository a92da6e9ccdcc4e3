"""LLaVA-OneVision: SigLIP at several resolutions before Qwen2; one image is shown in crops."""

from __future__ import annotations

from kolm_cli.families.tiny import templates, tokens, towers
from kolm_cli.families.tiny.pieces import Maker, Pieces

_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>")

_PINPOINTS = [[28, 28], [28, 56], [56, 28], [56, 56]]


def make(width: int, layers: int) -> Pieces:
    """A random base: crops of 28 px in four patches."""
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
        image_processor=LlavaOnevisionImageProcessor(size=size, image_grid_pinpoints=_PINPOINTS),
        tokenizer=tokens.byte_tokenizer(_SPECIAL, eos="<|im_end|>", pad="<|endoftext|>"),
        video_processor=LlavaOnevisionVideoProcessor(size=size),
        num_image_tokens=4,
        vision_feature_select_strategy="full",
        chat_template=templates.ONEVISION,
    )
    return Pieces(LlavaOnevisionForConditionalGeneration, config, processor)


VARIANTS: dict[str, Maker] = {"": make}
