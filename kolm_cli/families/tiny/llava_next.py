"""LLaVA-1.6 (LLaVA-NeXT): crops at several resolutions, and a trained newline between rows."""

from __future__ import annotations

from functools import partial

from kolm_cli.families.tiny import templates, tokens, towers
from kolm_cli.families.tiny.pieces import Maker, Pieces

_SPECIAL = ("<s>", "</s>", "<pad>", "<image>", "<|im_start|>", "<|im_end|>")
_PINPOINTS = [[28, 56], [56, 28], [56, 56]]


def make(kind: str, template: str, start: str | None, end: str, width: int, layers: int) -> Pieces:
    """A random base: crops of 28 px in four patches, two to four crops an image.

    Args:
        kind: the language tower's `model_type`.
        template: the chat template.
        start: the token that starts a text.
        end: the token that ends one.
        width: of the language tower.
        layers: of the language tower.
    """
    from transformers import (
        LlavaNextConfig,
        LlavaNextForConditionalGeneration,
        LlavaNextImageProcessor,
        LlavaNextProcessor,
    )

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
    return Pieces(LlavaNextForConditionalGeneration, config, processor)


VARIANTS: dict[str, Maker] = {
    "mistral": partial(make, "mistral", templates.MISTRAL_MISSPELT, "<s>", "</s>"),
    "vicuna": partial(make, "llama", templates.VICUNA, "<s>", "</s>"),
    "qwen2": partial(make, "qwen2", templates.CHATML_IMAGES_FIRST, None, "<|im_end|>"),
}
