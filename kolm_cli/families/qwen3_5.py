"""Qwen3.5: a hybrid of linear and full attention behind Qwen3-VL's tower."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kolm_cli.families.base import LLAMA_LINEARS, Family, Paper, Takes
from kolm_cli.families.support import Experimental
from kolm_cli.families.tiny import qwen, templates, towers


@dataclass(frozen=True)
class Qwen35(Family):
    """Qwen3.5."""

    def write_tiny(
        self, folder: Path, *, seed: int, width: int, layers: int, variant: str = ""
    ) -> None:
        """Write a random base whose layers alternate between linear and full attention."""
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
                "depth": 2,
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_heads": 2,
                "out_hidden_size": width,
                "patch_size": 16,
                "spatial_merge_size": 2,
                "temporal_patch_size": 2,
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
        towers.write(folder, Qwen3_5ForConditionalGeneration, config, processor, seed=seed)


FAMILY = Qwen35(
    name="qwen3_5",
    model_types=("qwen3_5",),
    id_patterns=("*qwen3.5-*",),
    written_for=("Qwen/Qwen3.5-9B",),
    papers=(Paper("Qwen3 Technical Report", "https://arxiv.org/abs/2505.09388"),),
    support=Experimental(
        "in its recurrent layers, accumulating gradients agrees with a larger batch to 1e-4 only,"
        " and it was tried without the fused kernels that the published checkpoints run with"
    ),
    vision=("model.visual",),
    projector=("model.visual.merger",),
    language=("model.language_model",),
    takes=Takes(several_turns=False),
    lora_default=(*LLAMA_LINEARS, "in_proj_qkv", "in_proj_z", "in_proj_b", "in_proj_a", "out_proj"),
)
