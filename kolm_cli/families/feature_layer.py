"""Features taken before a vision tower's end: what comes after that layer, nothing reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kolm_cli.families.base import Family


@dataclass(frozen=True)
class FromFeatureLayer(Family):
    """Families of LLaVA's kind, whose config says which layer's output is projected."""

    def never_used(self, model: Any) -> tuple[str, ...]:
        """What comes after the layers that `vision_feature_layer` takes."""
        config = model.config
        count = config.vision_config.num_hidden_layers
        return (*super().never_used(model), *after_layers(count, config.vision_feature_layer))


def after_layers(count: int, chosen: int | list[int]) -> tuple[str, ...]:
    """Shell patterns of what comes after the hidden states `chosen` of `count` layers.

    Hidden state 0 is what enters the first layer, state i what leaves layer i - 1; the tower's
    last norm and pooling head come after all of them.
    """
    layers = [chosen] if isinstance(chosen, int) else chosen
    read = max(layer if layer >= 0 else count + 1 + layer for layer in layers)
    idle = tuple(f"*.encoder.layers.{index}.*" for index in range(read, count))
    return (*idle, "*.post_layernorm.*", "*.head.*")
