"""Idefics3: SigLIP, pixel shuffle and one linear connector before a Llama."""

from __future__ import annotations

from typing import Any

from kolm_cli.families.tiny import templates, tokens, towers
from kolm_cli.families.tiny.pieces import Maker, Pieces

SPECIAL = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|im_start|>",
    "<pad>",
    "<fake_token_around_image>",
    "<image>",
    "<end_of_utterance>",
    "<global-img>",
    *(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)),
)


def config(config_class: Any, width: int, layers: int, *, start: str) -> Any:
    """A Llama of that width and a tower for crops of 28 px; four patches are joined to one token.

    Args:
        config_class: Idefics3's, or SmolVLM's.
        width: of the language tower.
        layers: of the language tower.
        start: the token that starts a text.
    """
    end, pad = "<end_of_utterance>", "<pad>"
    return config_class(
        text_config={
            "model_type": "llama",
            **towers.decoder(width, layers, SPECIAL, bos=start, eos=end, pad=pad),
        },
        vision_config=towers.tower(image=28, patch=14),
        image_token_id=tokens.token_id(SPECIAL, "<image>"),
        pad_token_id=tokens.token_id(SPECIAL, pad),
        scale_factor=2,
    )


def make(width: int, layers: int) -> Pieces:
    """A random base: crops of 28 px in four patches, joined to one token."""
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3ImageProcessor,
        Idefics3Processor,
    )

    start = "<|begin_of_text|>"
    processor = Idefics3Processor(
        image_processor=Idefics3ImageProcessor(
            size={"longest_edge": 56}, max_image_size={"longest_edge": 28}
        ),
        tokenizer=tokens.byte_tokenizer(
            SPECIAL,
            add_bos=True,
            bos=start,
            # The published tokenizer's end token is not what ends an answer.
            eos="<|end_of_text|>",
            pad="<pad>",
        ),
        image_seq_len=1,
        chat_template=templates.idefics(start),
    )
    made = config(Idefics3Config, width, layers, start=start)
    return Pieces(Idefics3ForConditionalGeneration, made, processor)


VARIANTS: dict[str, Maker] = {"": make}
