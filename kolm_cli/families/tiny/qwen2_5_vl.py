"""Qwen2.5-VL: window attention in the tower; the merger inside `visual` is the projector."""

from __future__ import annotations

from kolm_cli.families.tiny import qwen
from kolm_cli.families.tiny.pieces import Maker, Pieces


def make(width: int, layers: int) -> Pieces:
    """A random base: patches of 14 px, merged two by two, windows of 56 px."""
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
    )

    config = Qwen2_5_VLConfig(
        text_config=qwen.text_config(width, layers),
        vision_config={
            **qwen.vision_config(width, 14),
            "window_size": 56,
            "fullatt_block_indexes": [1],
        },
        **qwen.token_ids(),
        tie_word_embeddings=True,
    )
    processor = qwen.processor(Qwen2_5_VLProcessor)
    return Pieces(Qwen2_5_VLForConditionalGeneration, config, processor)


VARIANTS: dict[str, Maker] = {"": make}
