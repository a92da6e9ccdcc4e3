"""Pixtral: LLaVA's class around a tower of its own, at native resolution."""

from __future__ import annotations

from kolm_cli.families.tiny import templates, tokens
from kolm_cli.families.tiny.mistral3 import SPECIAL, pixtral_processor, text_config, vision_config
from kolm_cli.families.tiny.pieces import Maker, Pieces


def make(width: int, layers: int) -> Pieces:
    """A random base: images of at most 56 px, patches of 14 px."""
    from transformers import LlavaConfig, LlavaForConditionalGeneration

    config = LlavaConfig(
        text_config=text_config(width, layers),
        vision_config=vision_config(),
        image_token_index=tokens.token_id(SPECIAL, "[IMG]"),
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
    )
    processor = pixtral_processor(templates.PIXTRAL, merge=1)
    return Pieces(LlavaForConditionalGeneration, config, processor)


VARIANTS: dict[str, Maker] = {"": make}
