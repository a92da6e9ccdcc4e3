"""Which layers of a vision tower nothing reads: features are taken before its end."""

from __future__ import annotations

from typing import Any


def beyond_feature_layer(model: Any) -> tuple[str, ...]:
    """Shell patterns of what comes after the layers that `vision_feature_layer` takes."""
    config = model.config
    return after_layers(config.vision_config.num_hidden_layers, config.vision_feature_layer)


def after_layers(count: int, chosen: int | list[int]) -> tuple[str, ...]:
    """Shell patterns of what comes after the hidden states `chosen` of `count` layers.

    Hidden state 0 is what enters the first layer, state i what leaves layer i - 1; the tower's
    last norm and pooling head come after all of them.
    """
    layers = [chosen] if isinstance(chosen, int) else chosen
    read = max(layer if layer >= 0 else count + 1 + layer for layer in layers)
    idle = tuple(f"*.encoder.layers.{index}.*" for index in range(read, count))
    return (*idle, "*.post_layernorm.*", "*.head.*")
