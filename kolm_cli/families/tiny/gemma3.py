"""Gemma 3: SigLIP pooled to a fixed count of tokens, which see each other both ways."""

from __future__ import annotations

from kolm_cli.families.tiny import templates, tokens, towers
from kolm_cli.families.tiny.pieces import Maker, Pieces

_SPECIAL = (
    "<bos>",
    "<eos>",
    "<pad>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<start_of_image>",
    "<end_of_image>",
    "<image_soft_token>",
)


def make(width: int, layers: int) -> Pieces:
    """A random base: images of 56 px in sixteen patches, pooled to four tokens."""
    from transformers import (
        Gemma3Config,
        Gemma3ForConditionalGeneration,
        Gemma3ImageProcessor,
        Gemma3Processor,
    )

    config = Gemma3Config(
        text_config=towers.decoder(
            width, layers, _SPECIAL, bos="<bos>", eos="<end_of_turn>", pad="<pad>"
        ),
        vision_config={"vision_use_head": False, **towers.tower(image=56, patch=14)},
        mm_tokens_per_image=4,
        boi_token_index=tokens.token_id(_SPECIAL, "<start_of_image>"),
        eoi_token_index=tokens.token_id(_SPECIAL, "<end_of_image>"),
        image_token_index=tokens.token_id(_SPECIAL, "<image_soft_token>"),
        tie_word_embeddings=True,
    )
    processor = Gemma3Processor(
        image_processor=Gemma3ImageProcessor(size={"height": 56, "width": 56}),
        tokenizer=tokens.byte_tokenizer(
            _SPECIAL,
            bos="<bos>",
            eos="<eos>",
            pad="<pad>",
            add_bos=True,
            boi_token="<start_of_image>",
            eoi_token="<end_of_image>",
            image_token="<image_soft_token>",
        ),
        image_seq_length=4,
        chat_template=templates.GEMMA3,
    )
    return Pieces(Gemma3ForConditionalGeneration, config, processor)


VARIANTS: dict[str, Maker] = {"": make}
