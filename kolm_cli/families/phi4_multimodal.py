"""Phi-4-multimodal (the native class): vision and audio inside the embedding; audio is `other`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kolm_cli.families import image_limits, shown
from kolm_cli.families.base import Family, Paper
from kolm_cli.families.feature_layer import after_layers
from kolm_cli.families.support import Experimental

_IMAGE = "model.embed_tokens_extend.image_embed"


@dataclass(frozen=True)
class Phi4Multimodal(Family):
    """Phi-4-multimodal (arXiv:2503.01743)."""

    def render(self, processor: Any, messages: list[dict[str, Any]], *, prompt: bool) -> str:
        """Without the token that the template appends to a conversation it takes for finished."""
        text = super().render(processor, messages, prompt=prompt)
        return text if prompt else text.removesuffix(self.tokenizer(processor).eos_token)

    def never_used(self, model: Any) -> tuple[str, ...]:
        """What comes after the feature layer."""
        vision = model.config.vision_config
        idle = after_layers(vision.num_hidden_layers, vision.feature_layer)
        return (*super().never_used(model), *idle)


FAMILY = Phi4Multimodal(
    name="phi4_multimodal",
    model_types=("phi4_multimodal",),
    id_patterns=("*phi-4-multimodal*",),
    written_for=("microsoft/Phi-4-multimodal-instruct",),
    papers=(Paper("Phi-4-Mini Technical Report", "https://arxiv.org/abs/2503.01743"),),
    support=Experimental(
        "the published checkpoint keeps its skill with images in an adapter of its own, which is"
        " not loaded: merge it into the base first"
    ),
    vision=(f"{_IMAGE}.img_processor",),
    projector=(
        f"{_IMAGE}.img_projection_up",
        f"{_IMAGE}.img_projection_down",
        f"{_IMAGE}.global_img_feature_extensor",
        f"{_IMAGE}.sub_img_feature_extensor",
    ),
    projector_lora=("img_projection_up", "img_projection_down"),
    language=("model.layers", "model.norm", "model.embed_tokens"),
    other=("model.embed_tokens_extend.audio_embed",),
    lora_default=("qkv_proj", "o_proj", "gate_up_proj", "down_proj"),
    auto_class="AutoModelForCausalLM",
    end_tokens=("<|end|>",),
    image_keys=("image_pixel_values", "image_sizes", "image_attention_mask"),
    # Crops that an image does not have are masked in, since a fully masked one has no softmax.
    image_fill={"image_attention_mask": 1},
    image_sizing=image_limits.DYNAMIC_HD,
    sketches=False,
    shown_size=shown.dynamic_hd,
)
