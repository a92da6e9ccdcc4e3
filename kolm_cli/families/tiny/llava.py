"""LLaVA-1.5: CLIP and a two-layer projector before a Llama; its template has no end token."""

from __future__ import annotations

from kolm_cli.families.tiny import templates, tokens, towers
from kolm_cli.families.tiny.pieces import Maker, Pieces

_SPECIAL = ("<s>", "</s>", "<pad>", "<image>")


def make(width: int, layers: int) -> Pieces:
    """A random base: images of 28 px in four patches."""
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
        tokenizer=tokens.byte_tokenizer(_SPECIAL, add_bos=True, bos="<s>", eos="</s>", pad="<pad>"),
        patch_size=14,
        vision_feature_select_strategy="default",
        chat_template=templates.VICUNA,
        num_additional_image_tokens=1,
    )
    return Pieces(LlavaForConditionalGeneration, config, processor)


VARIANTS: dict[str, Maker] = {"": make}
