"""Qwen3.5: a hybrid of linear and full attention behind Qwen3-VL's tower."""

from __future__ import annotations

from kolm_cli.families import image_limits, shown
from kolm_cli.families.base import LLAMA_LINEARS, QWEN_BOXES, Family, Paper, Takes
from kolm_cli.families.support import Experimental

FAMILY = Family(
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
    projector_lora=("linear_fc1", "linear_fc2"),
    language=("model.language_model",),
    content_tokens=QWEN_BOXES,
    takes=Takes(several_turns=False),
    lora_default=(*LLAMA_LINEARS, "in_proj_qkv", "in_proj_z", "in_proj_b", "in_proj_a", "out_proj"),
    image_sizing=image_limits.PIXELS_32,
    shown_size=shown.merged_patches,
)
