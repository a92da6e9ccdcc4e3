"""Idefics3: SigLIP, pixel shuffle and one linear connector before a Llama."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kolm_cli.families import image_limits, shown
from kolm_cli.families.base import Family, Paper

SMOLVLM_PAPER = Paper(
    "SmolVLM: Redefining small and efficient multimodal models", "https://arxiv.org/abs/2504.05299"
)


@dataclass(frozen=True)
class Idefics3(Family):
    """Idefics3 (arXiv:2408.12637), and the first SmolVLM, which is one."""

    language: tuple[str, ...] = ("model.text_model",)
    vision: tuple[str, ...] = ("model.vision_model",)
    projector: tuple[str, ...] = ("model.connector",)
    projector_lora: tuple[str, ...] = ("modality_projection.proj",)
    end_tokens: tuple[str, ...] = ("<end_of_utterance>",)
    image_keys: tuple[str, ...] = ("pixel_values", "pixel_attention_mask")

    def encode(self, processor: Any, text: str, images: list[Any]) -> dict[str, Any]:
        """Give each crop a place of its own, instead of one padded row of crops a text."""
        features = super().encode(processor, text, images)
        for key in ("pixel_values", "pixel_attention_mask"):
            if key in features:
                features[key] = features[key].flatten(0, 1)
        return features

    def finish_images(self, images: dict[str, Any]) -> None:
        """The model takes [texts, crops, …] and only ever uses the crops in their order.

        All crops of the batch as one row leave no empty slot, however many each text has.
        """
        for key in ("pixel_values", "pixel_attention_mask"):
            if key in images:
                images[key] = images[key].unsqueeze(0)


FAMILY = Idefics3(
    name="idefics3",
    model_types=("idefics3",),
    id_patterns=("*idefics3*", "*smolvlm-*", "*granite-docling*", "*smoldocling*"),
    written_for=(
        "HuggingFaceM4/Idefics3-8B-Llama3",
        "HuggingFaceTB/SmolVLM-Instruct",
        "HuggingFaceTB/SmolVLM-256M-Instruct",
    ),
    papers=(
        Paper(
            "Building and better understanding vision-language models",
            "https://arxiv.org/abs/2408.12637",
        ),
        SMOLVLM_PAPER,
    ),
    image_sizing=image_limits.LONGEST_EDGE_OF_TILES,
    shown_size=shown.split_tiles,
)
