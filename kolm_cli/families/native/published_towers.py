"""Published vision towers that configurations name without describing them."""

from __future__ import annotations

from typing import Any

# openai/clip-vit-large-patch14-336
CLIP_L_336: dict[str, Any] = {
    "model_type": "clip_vision_model",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "projection_dim": 768,
    "image_size": 336,
    "patch_size": 14,
}
