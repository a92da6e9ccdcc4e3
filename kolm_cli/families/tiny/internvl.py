"""InternVL (the transformers-native conversions): tiles of an image before Qwen2 or Llama."""

from __future__ import annotations

from kolm_cli.families.tiny import templates, tokens, towers
from kolm_cli.families.tiny.pieces import Maker, Pieces

_SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<img>",
    "</img>",
    "<IMG_CONTEXT>",
    "<video>",
)


def make(width: int, layers: int) -> Pieces:
    """A random base: tiles of 28 px in four patches, joined to one token."""
    from transformers import (
        GotOcr2ImageProcessor,
        InternVLConfig,
        InternVLForConditionalGeneration,
        InternVLProcessor,
        InternVLVideoProcessor,
    )

    end, pad = "<|im_end|>", "<|endoftext|>"
    config = InternVLConfig(
        text_config={
            "model_type": "qwen2",
            **towers.decoder(width, layers, _SPECIAL, bos=None, eos=end, pad=pad),
        },
        vision_config=towers.tower(image=28, patch=14),
        image_token_id=tokens.token_id(_SPECIAL, "<IMG_CONTEXT>"),
        image_seq_length=1,
        tie_word_embeddings=True,
    )
    size = {"height": 28, "width": 28}
    processor = InternVLProcessor(
        image_processor=GotOcr2ImageProcessor(size=size, max_patches=4),
        tokenizer=tokens.byte_tokenizer(
            _SPECIAL,
            eos=end,
            pad=pad,
            start_image_token="<img>",
            end_image_token="</img>",
            context_image_token="<IMG_CONTEXT>",
            video_token="<video>",
        ),
        video_processor=InternVLVideoProcessor(size=size),
        image_seq_length=1,
        chat_template=templates.INTERNVL,
    )
    return Pieces(InternVLForConditionalGeneration, config, processor)


VARIANTS: dict[str, Maker] = {"": make}
