"""Phi-3-vision and Phi-3.5-vision, natively: CLIP in tiles before Phi-3, images by number."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from kolm_cli.families import image_limits, shown
from kolm_cli.families.base import Paper
from kolm_cli.families.feature_layer import FromFeatureLayer
from kolm_cli.families.vision_features import Projected, VisionFeatures
from kolm_cli.records.conversation import Conversation, Text

_IMAGES = "model.vision_embed_tokens"


@dataclass(frozen=True)
class Phi3V(FromFeatureLayer):
    """Phi-3-vision and Phi-3.5-vision (arXiv:2404.14219)."""

    def messages(self, conversation: Conversation) -> list[dict[str, Any]]:
        """The template takes strings, with images numbered through the conversation."""
        numbers = itertools.count(1)
        return [
            {
                "role": message.role,
                "content": "".join(
                    part.text if isinstance(part, Text) else f"<|image_{next(numbers)}|>\n"
                    for part in message.parts
                ),
            }
            for message in conversation.messages
        ]

    def reserved(self, processor: Any) -> frozenset[str]:
        """Also the beginning of a numbered placeholder."""
        return super().reserved(processor) | {"<|image_"}


def _encode(model: Any, images: dict[str, Any]) -> Any:
    embedding = model.model.vision_embed_tokens
    return embedding.encode(images["pixel_values"], images["image_sizes"])


def _project(model: Any, features: Any, images: dict[str, Any]) -> list[Any]:
    projected: list[Any] = model.model.vision_embed_tokens.project(features, images["image_sizes"])
    return projected


FAMILY = Phi3V(
    name="phi3_v",
    model_types=("phi3_v",),
    id_patterns=("*phi-3.5-vision*", "*phi-3-vision*"),
    written_for=("microsoft/Phi-3.5-vision-instruct", "microsoft/Phi-3-vision-128k-instruct"),
    papers=(
        Paper(
            "Phi-3 Technical Report: A Highly Capable Language Model Locally on Your Phone",
            "https://arxiv.org/abs/2404.14219",
        ),
    ),
    native="phi3_v",
    vision_features=VisionFeatures(encode=_encode, feed=Projected(_project)),
    vision=(f"{_IMAGES}.img_processor",),
    projector=(f"{_IMAGES}.img_projection", f"{_IMAGES}.glb_GN", f"{_IMAGES}.sub_GN"),
    projector_lora=("img_projection.0", "img_projection.2"),
    language=("model.layers", "model.norm", "model.embed_tokens"),
    lora_default=("qkv_proj", "o_proj", "gate_up_proj", "down_proj"),
    end_tokens=("<|end|>",),
    image_keys=("pixel_values", "image_sizes"),
    image_sizing=image_limits.NUM_CROPS,
    sketches=False,
    shown_size=shown.hd_transform,
)
