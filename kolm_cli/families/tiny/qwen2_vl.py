"""Qwen2-VL: a tower at native resolution; the merger inside `visual` is the projector."""

from __future__ import annotations

from kolm_cli.families.tiny import qwen
from kolm_cli.families.tiny.pieces import Maker, Pieces


def make(width: int, layers: int) -> Pieces:
    """A random base: patches of 14 px, merged two by two."""
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration, Qwen2VLProcessor

    config = Qwen2VLConfig(
        text_config=qwen.text_config(width, layers),
        vision_config={
            "depth": 2,
            "embed_dim": 32,
            "hidden_size": width,
            "num_heads": 2,
            "mlp_ratio": 2,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
        **qwen.token_ids(),
        tie_word_embeddings=True,
    )
    processor = qwen.processor(Qwen2VLProcessor)
    return Pieces(Qwen2VLForConditionalGeneration, config, processor)


VARIANTS: dict[str, Maker] = {"": make}
