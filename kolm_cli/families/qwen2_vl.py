"""Qwen2-VL: a tower at native resolution; the merger inside `visual` is the projector."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kolm_cli.families.base import Family, Paper
from kolm_cli.families.tiny import qwen, towers


@dataclass(frozen=True)
class Qwen2VL(Family):
    """Qwen2-VL (arXiv:2409.12191)."""

    def write_tiny(
        self, folder: Path, *, seed: int, width: int, layers: int, variant: str = ""
    ) -> None:
        """Write a random base: patches of 14 px, merged two by two."""
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
        towers.write(folder, Qwen2VLForConditionalGeneration, config, processor, seed=seed)


FAMILY = Qwen2VL(
    name="qwen2_vl",
    model_types=("qwen2_vl",),
    id_patterns=("*qwen2-vl*", "*qwen2_vl*"),
    written_for=(
        "Qwen/Qwen2-VL-2B-Instruct",
        "Qwen/Qwen2-VL-7B-Instruct",
        "Qwen/Qwen2-VL-72B-Instruct",
    ),
    papers=(
        Paper(
            "Qwen2-VL: Enhancing Vision-Language Model's Perception of the World at Any Resolution",
            "https://arxiv.org/abs/2409.12191",
        ),
    ),
    vision=("model.visual",),
    projector=("model.visual.merger",),
    language=("model.language_model",),
)
