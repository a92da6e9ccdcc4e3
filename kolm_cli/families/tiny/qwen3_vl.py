"""Qwen3-VL: besides the merger, deep-stack mergers feed early language layers; all project."""

from __future__ import annotations

from kolm_cli.families.tiny import qwen
from kolm_cli.families.tiny.pieces import Maker, Pieces


def make(width: int, layers: int) -> Pieces:
    """A random base: patches of 16 px, one deep-stack merger after the first block."""
    from transformers import (
        Qwen3VLConfig,
        Qwen3VLForConditionalGeneration,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
    )

    config = Qwen3VLConfig(
        text_config={**qwen.text_config(width, layers), "head_dim": width // 4},
        vision_config={
            **qwen.vision_config(width, 16),
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0],
        },
        **qwen.token_ids(),
        tie_word_embeddings=True,
    )
    processor = qwen.processor(
        Qwen3VLProcessor, Qwen3VLVideoProcessor, patch_size=16, default_system=False
    )
    return Pieces(Qwen3VLForConditionalGeneration, config, processor)


VARIANTS: dict[str, Maker] = {"": make}
