"""Qwen2.5-VL: window attention in the tower; the merger inside `visual` is the projector."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kolm_cli.families import vision_features
from kolm_cli.families.base import Family, Paper
from kolm_cli.families.tiny import qwen, towers


@dataclass(frozen=True)
class Qwen25VL(Family):
    """Qwen2.5-VL (arXiv:2502.13923)."""

    def write_tiny(
        self, folder: Path, *, seed: int, width: int, layers: int, variant: str = ""
    ) -> None:
        """Write a random base; `width` is the language tower's, a multiple of 32."""
        from transformers import (
            Qwen2_5_VLConfig,
            Qwen2_5_VLForConditionalGeneration,
            Qwen2_5_VLProcessor,
        )

        config = Qwen2_5_VLConfig(
            text_config=qwen.text_config(width, layers),
            vision_config={
                "depth": 2,
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_heads": 2,
                "out_hidden_size": width,
                "patch_size": 14,
                "spatial_merge_size": 2,
                "temporal_patch_size": 2,
                "window_size": 56,
                "fullatt_block_indexes": [1],
            },
            **qwen.token_ids(),
            tie_word_embeddings=True,
        )
        processor = qwen.processor(Qwen2_5_VLProcessor)
        towers.write(folder, Qwen2_5_VLForConditionalGeneration, config, processor, seed=seed)


FAMILY = Qwen25VL(
    name="qwen2_5_vl",
    model_types=("qwen2_5_vl",),
    id_patterns=("*qwen2.5-vl*", "*qwen2_5_vl*", "*qwen2-5-vl*"),
    written_for=(
        "Qwen/Qwen2.5-VL-3B-Instruct",
        "Qwen/Qwen2.5-VL-7B-Instruct",
        "Qwen/Qwen2.5-VL-72B-Instruct",
    ),
    papers=(Paper("Qwen2.5-VL Technical Report", "https://arxiv.org/abs/2502.13923"),),
    vision=("model.visual",),
    projector=("model.visual.merger",),
    language=("model.language_model",),
    vision_features=vision_features.QWEN2_5_VL,
)
