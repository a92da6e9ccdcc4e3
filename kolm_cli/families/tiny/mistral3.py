"""Mistral Small 3.1 and later: Pixtral's tower at native resolution, with patches merged."""

from __future__ import annotations

from typing import Any

from kolm_cli.families.tiny import templates, tokens, towers
from kolm_cli.families.tiny.pieces import Maker, Pieces

SPECIAL = (
    "<s>",
    "</s>",
    "<pad>",
    "[INST]",
    "[/INST]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "[IMG]",
    "[IMG_BREAK]",
    "[IMG_END]",
)


def pixtral_processor(template: str, *, merge: int) -> Any:
    """The stock processor with a byte tokenizer; images of at most 56 px, patches of 14 px."""
    from transformers import PixtralImageProcessor, PixtralProcessor

    return PixtralProcessor(
        image_processor=PixtralImageProcessor(
            size={"longest_edge": 56}, patch_size={"height": 14, "width": 14}
        ),
        tokenizer=tokens.byte_tokenizer(SPECIAL, bos="<s>", eos="</s>", pad="<pad>", add_bos=True),
        patch_size=14,
        spatial_merge_size=merge,
        chat_template=template,
    )


def text_config(width: int, layers: int) -> dict[str, Any]:
    """Mistral's language tower."""
    decoder = towers.decoder(width, layers, SPECIAL, bos="<s>", eos="</s>", pad="<pad>")
    return {"model_type": "mistral", **decoder}


def vision_config() -> dict[str, Any]:
    """Pixtral's tower."""
    return {"model_type": "pixtral", "head_dim": 16, **towers.tower(image=56, patch=14)}


def make(width: int, layers: int) -> Pieces:
    """A random base: images of at most 56 px, patches of 14 px merged two by two."""
    from transformers import Mistral3Config, Mistral3ForConditionalGeneration

    config = Mistral3Config(
        text_config=text_config(width, layers),
        vision_config=vision_config(),
        image_token_index=tokens.token_id(SPECIAL, "[IMG]"),
        vision_feature_layer=-1,
        spatial_merge_size=2,
    )
    processor = pixtral_processor(templates.MISTRAL3, merge=2)
    return Pieces(Mistral3ForConditionalGeneration, config, processor)


VARIANTS: dict[str, Maker] = {"": make}
