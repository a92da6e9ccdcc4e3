"""The configuration that the published checkpoints have, and what it leaves unsaid."""

from __future__ import annotations

from typing import Any

from huggingface_hub.dataclasses import strict
from transformers import CLIPVisionConfig, Phi3Config

from kolm_cli.families.native.published_towers import CLIP_L_336

# How the tower's features become tokens; the published checkpoints know no other way.
_EMBEDDING = {
    "embedding_cls": "image",
    "hd_transform_order": "sub_glb",
    "projection_cls": "mlp",
    "use_hd_transform": True,
    "with_learnable_separator": True,
}
# Written for the code that comes with the checkpoint, or for the machine it was trained on.
_FOREIGN = ("auto_map", "_attn_implementation")


@strict
class Phi3VConfig(Phi3Config):
    """Phi-3's configuration with a vision tower.

    Attributes:
        vision_config: CLIP's tower; ViT-L/14 at 336 px unless it is given.
        image_token_id: what the processor writes where an image's features go; negative ids are
            taken for the same.
        vision_feature_layer: the tower's hidden state that is projected.
        embd_layer: the published description of the projector.
        img_processor: the published description of the tower.
    """

    model_type = "phi3_v"
    sub_configs = {"vision_config": CLIPVisionConfig}  # noqa: RUF012  # as transformers

    vision_config: dict[str, Any] | CLIPVisionConfig | None = None
    image_token_id: int = 32044
    vision_feature_layer: int = -2
    embd_layer: dict[str, Any] | None = None
    img_processor: dict[str, Any] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        """Fill in the tower, and refuse a projector that this code does not have.

        Raises:
            ValueError: `embd_layer` asks for another projector.
        """
        if not isinstance(self.vision_config, CLIPVisionConfig):
            self.vision_config = CLIPVisionConfig(**(self.vision_config or CLIP_L_336))
        self.embd_layer = {**_EMBEDDING, **(self.embd_layer or {})}
        other = {key for key, value in _EMBEDDING.items() if self.embd_layer[key] != value}
        if other:
            raise ValueError(
                "phi3_v: embd_layer must be as published, but differs in "
                + ", ".join(sorted(other))
            )
        for key in _FOREIGN:
            kwargs.pop(key, None)
        rope = kwargs.get("rope_scaling") or self.rope_parameters
        if isinstance(rope, dict) and rope.get("type") == "su":
            # Its first name. transformers renames it too late to find the original length.
            kwargs["rope_scaling"] = {**rope, "type": "longrope", "rope_type": "longrope"}
        super().__post_init__(**kwargs)


__all__ = ["Phi3VConfig"]
