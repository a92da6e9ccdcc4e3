"""Qwen3.5: a hybrid of linear and full attention behind Qwen3-VL's tower."""

from __future__ import annotations

from kolm_cli.families.tiny import qwen, templates
from kolm_cli.families.tiny.pieces import Maker, Pieces


def make(width: int, layers: int) -> Pieces:
    """A random base whose layers alternate between linear and full attention."""
    from transformers import (
        Qwen3_5Config,
        Qwen3_5ForConditionalGeneration,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
    )

    kinds = ["linear_attention", "full_attention"]
    config = Qwen3_5Config(
        text_config={
            **qwen.text_config(width, layers),
            "head_dim": width // 4,
            "linear_key_head_dim": 16,
            "linear_value_head_dim": 16,
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 2,
            "layer_types": [kinds[index % 2] for index in range(layers)],
        },
        vision_config={
            **qwen.vision_config(width, 16),
            "num_position_embeddings": 64,
        },
        **qwen.token_ids(),
        tie_word_embeddings=True,
    )
    processor = qwen.processor(
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
        patch_size=16,
        default_system=False,
        template=templates.QWEN3,
    )
    return Pieces(Qwen3_5ForConditionalGeneration, config, processor)


VARIANTS: dict[str, Maker] = {"": make}
