"""PaliGemma: SigLIP before Gemma; image and question see each other both ways, no chat template."""

from __future__ import annotations

from kolm_cli.families.tiny import tokens, towers
from kolm_cli.families.tiny.pieces import Maker, Pieces

_SPECIAL = ("<bos>", "<eos>", "<pad>", "<image>")


def make(width: int, layers: int) -> Pieces:
    """A random base: images of 28 px in four tokens."""
    from transformers import (
        PaliGemmaConfig,
        PaliGemmaForConditionalGeneration,
        PaliGemmaProcessor,
        SiglipImageProcessor,
    )

    images = SiglipImageProcessor(size={"height": 28, "width": 28})
    images.image_seq_length = 4
    processor = PaliGemmaProcessor(
        image_processor=images,
        tokenizer=tokens.byte_tokenizer(
            _SPECIAL, bos="<bos>", eos="<eos>", pad="<pad>", image_token="<image>"
        ),
    )
    decoder = towers.decoder(width, layers, _SPECIAL, bos="<bos>", eos="<eos>", pad="<pad>")
    # The processor adds a thousand tokens for places and shapes.
    decoder["vocab_size"] = len(processor.tokenizer)
    config = PaliGemmaConfig(
        text_config={"model_type": "gemma", **decoder},
        vision_config={
            "model_type": "siglip_vision_model",
            "vision_use_head": False,
            **towers.tower(image=28, patch=14),
        },
        image_token_index=tokens.token_id(_SPECIAL, "<image>"),
        projection_dim=width,
        hidden_size=width,
        tie_word_embeddings=True,
    )
    return Pieces(PaliGemmaForConditionalGeneration, config, processor)


VARIANTS: dict[str, Maker] = {"": make}
