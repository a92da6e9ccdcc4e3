"""Qwen3-VL: besides the merger, deep-stack mergers feed early language layers; all project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kolm_cli.families.base import Family, Paper
from kolm_cli.families.tiny import qwen, towers


@dataclass(frozen=True)
class Qwen3VL(Family):
    """Qwen3-VL (arXiv:2511.21631)."""

    def write_tiny(
        self, folder: Path, *, seed: int, width: int, layers: int, variant: str = ""
    ) -> None:
        """Write a random base: patches of 16 px, one deep-stack merger after the first block."""
        from transformers import (
            Qwen3VLConfig,
            Qwen3VLForConditionalGeneration,
            Qwen3VLProcessor,
            Qwen3VLVideoProcessor,
        )

        config = Qwen3VLConfig(
            text_config={**qwen.text_config(width, layers), "head_dim": width // 4},
            vision_config={
                "depth": 2,
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_heads": 2,
                "out_hidden_size": width,
                "patch_size": 16,
                "spatial_merge_size": 2,
                "temporal_patch_size": 2,
                "num_position_embeddings": 64,
                "deepstack_visual_indexes": [0],
            },
            **qwen.token_ids(),
            tie_word_embeddings=True,
        )
        processor = qwen.processor(
            Qwen3VLProcessor, Qwen3VLVideoProcessor, patch_size=16, default_system=False
        )
        towers.write(folder, Qwen3VLForConditionalGeneration, config, processor, seed=seed)


FAMILY = Qwen3VL(
    name="qwen3_vl",
    model_types=("qwen3_vl",),
    id_patterns=("*qwen3-vl*", "*qwen3_vl*"),
    written_for=(
        "Qwen/Qwen3-VL-2B-Instruct",
        "Qwen/Qwen3-VL-4B-Instruct",
        "Qwen/Qwen3-VL-8B-Instruct",
    ),
    papers=(Paper("Qwen3-VL Technical Report", "https://arxiv.org/abs/2511.21631"),),
    vision=("model.visual",),
    projector=("model.visual.merger", "model.visual.deepstack_merger_list"),
    language=("model.language_model",),
)
