"""The four published encoders: what each is, where it comes from, how a picture is shown to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kolm_cli.families.native.published_towers import CLIP_L_336

_CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Published:
    """An encoder that a published configuration names.

    Attributes:
        repository: the hub repository of its weights, in transformers' form but for ConvNeXt.
        picture: side of the picture it is shown, pixels.
        mean: of each channel, taken off.
        std: of each channel, divided by.
        border: the color around a picture that is not square, as a mean; the published code takes
            CLIP's for all that open_clip loads.
        config: of its transformers class.
    """

    repository: str
    picture: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    border: tuple[float, ...]
    config: dict[str, Any]


PUBLISHED: dict[str, Published] = {
    "siglip/CLIP-ViT-SO400M-14-384": Published(
        "google/siglip-so400m-patch14-384",
        384,
        *_HALF,
        _CLIP[0],
        {
            "model_type": "siglip_vision_model",
            "hidden_size": 1152,
            "intermediate_size": 4304,
            "num_hidden_layers": 27,
            "num_attention_heads": 16,
            "image_size": 384,
            "patch_size": 14,
            "vision_use_head": False,
        },
    ),
    "openai/clip-vit-large-patch14-336": Published(
        "openai/clip-vit-large-patch14-336",
        336,
        *_CLIP,
        _CLIP[0],
        CLIP_L_336,
    ),
    "facebook/dinov2-giant-res378": Published(
        "facebook/dinov2-giant",
        378,
        *_IMAGENET,
        _IMAGENET[0],
        {
            "model_type": "dinov2",
            "hidden_size": 1536,
            "num_hidden_layers": 40,
            "num_attention_heads": 24,
            "use_swiglu_ffn": True,
            "image_size": 518,
            "patch_size": 14,
        },
    ),
    "clip-convnext-XXL-multi-stage": Published(
        "laion/CLIP-convnext_xxlarge-laion2B-s34B-b82K-augreg-soup",
        1024,
        *_CLIP,
        _CLIP[0],
        {
            "model_type": "convnext",
            "hidden_sizes": [384, 768, 1536, 3072],
            "depths": [3, 4, 30, 3],
        },
    ),
}


def width_of(config: Any) -> int:
    """How wide an encoder's features are: a multi-stage one's are all its stages side by side."""
    if config.model_type == "convnext":
        return sum(map(int, config.hidden_sizes))
    return int(config.hidden_size)
