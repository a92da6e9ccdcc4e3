"""LLaVA-OneVision: SigLIP at several resolutions before Qwen2; one image is shown in crops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kolm_cli.families import image_limits, shown
from kolm_cli.families.base import Paper
from kolm_cli.families.feature_layer import FromFeatureLayer


@dataclass(frozen=True)
class LlavaOnevision(FromFeatureLayer):
    """LLaVA-OneVision (arXiv:2408.03326)."""

    def render(self, processor: Any, messages: list[dict[str, Any]], *, prompt: bool) -> str:
        """Open every answer as the published template opens the one that it asks for.

        It writes `assistant`, a space and a newline before an answer that is there, but no
        space before one that is asked for: a model trained on the first would meet the second.
        """
        text = super().render(processor, messages, prompt=prompt)
        return text.replace("<|im_start|>assistant \n", "<|im_start|>assistant\n")


FAMILY = LlavaOnevision(
    name="llava_onevision",
    model_types=("llava_onevision",),
    id_patterns=("*llava-onevision*", "*llava_onevision*"),
    written_for=(
        "llava-hf/llava-onevision-qwen2-0.5b-ov-hf",
        "llava-hf/llava-onevision-qwen2-7b-ov-hf",
    ),
    papers=(
        Paper("LLaVA-OneVision: Easy Visual Task Transfer", "https://arxiv.org/abs/2408.03326"),
    ),
    vision=("model.vision_tower",),
    projector=("model.multi_modal_projector", "model.image_newline"),
    projector_lora=("linear_1", "linear_2"),
    language=("model.language_model",),
    image_keys=("pixel_values", "image_sizes", "batch_num_images"),
    image_sizing=image_limits.PINPOINTS,
    shown_size=shown.within_grid,
)
