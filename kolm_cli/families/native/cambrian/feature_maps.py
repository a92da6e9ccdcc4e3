"""An encoder's features, on a grid of the side that the connector wants."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import AutoModel


class Encoder(nn.Module):
    """One frozen encoder, its features resized to a square grid."""

    def __init__(self, config: Any, *, tokens: int, picture: int, layer: int) -> None:
        super().__init__()
        self.vision_tower = AutoModel.from_config(config)
        self.kind = config.model_type
        if self.kind == "convnext":
            # The published one is timm's, whose norms have another epsilon.
            for module in self.vision_tower.modules():
                if isinstance(module, nn.LayerNorm):
                    module.eps = 1e-5
        self.side = math.isqrt(tokens)
        self.picture = picture
        self.layer = layer

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """[images, 3 * picture * picture] to [images, tokens, width]."""
        shown = pixels.reshape(-1, 3, self.picture, self.picture)
        output = self.vision_tower(shown, output_hidden_states=True)
        features: torch.Tensor
        if self.kind == "convnext":
            stages = [self._resize(stage) for stage in output.hidden_states[-4:]]
            return torch.cat(stages, 1).flatten(2).transpose(1, 2)
        if self.kind == "clip_vision_model":
            features = output.hidden_states[self.layer][:, 1:]
        elif self.kind == "dinov2":
            features = output.last_hidden_state[:, 1:]
        else:
            features = output.last_hidden_state
        side = math.isqrt(features.shape[1])
        if side == self.side:
            return features
        grid = features.transpose(1, 2).reshape(features.shape[0], -1, side, side)
        return self._resize(grid).flatten(2).transpose(1, 2)

    def _resize(self, grid: torch.Tensor) -> torch.Tensor:
        """[images, width, rows, columns] at the encoder's own side, bilinearly."""
        size = (self.side, self.side)
        return functional.interpolate(grid.float(), size=size, mode="bilinear").to(grid.dtype)
