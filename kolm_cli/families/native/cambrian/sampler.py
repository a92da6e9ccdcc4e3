"""The spatial vision aggregator: each query looks at its own window of every encoder's features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional


def normed_linear(inputs: int, outputs: int) -> nn.Sequential:
    """A layer norm before a projection without bias."""
    return nn.Sequential(nn.LayerNorm(inputs), nn.Linear(inputs, outputs, bias=False))


class WindowAttention(nn.Module):
    """Attention of one query to the windows of all encoders, each with projections of its own."""

    def __init__(self, width: int, encoders: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.encoders = encoders
        self.q_proj = normed_linear(width, width)
        for index in range(encoders):
            setattr(self, f"k_proj_{index}", normed_linear(width, width))
            setattr(self, f"v_proj_{index}", normed_linear(width, width))
        self.o_proj = nn.Linear(width, width, bias=False)

    def forward(
        self, queries: torch.Tensor, windows: Sequence[torch.Tensor], seen: torch.Tensor
    ) -> torch.Tensor:
        """Look.

        Args:
            queries: [queries, 1, width].
            windows: for each encoder [queries, features, width].
            seen: [queries, all features], False for what lies in the picture's border.

        Returns:
            [queries, 1, width].
        """
        keys = [getattr(self, f"k_proj_{i}")(window) for i, window in enumerate(windows)]
        values = [getattr(self, f"v_proj_{i}")(window) for i, window in enumerate(windows)]
        found = functional.scaled_dot_product_attention(
            self._split(self.q_proj(queries)),
            self._split(torch.cat(keys, 1)),
            self._split(torch.cat(values, 1)),
            attn_mask=seen[:, None, None],
        )
        joined: torch.Tensor = self.o_proj(found.transpose(1, 2).flatten(2))
        return joined

    def _split(self, states: torch.Tensor) -> torch.Tensor:
        """[queries, length, width] to [queries, heads, length, width / heads]."""
        return states.reshape(*states.shape[:2], self.heads, -1).transpose(1, 2)


class TwoLayers(nn.Module):
    """Two projections without bias around a GELU."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(inputs, hidden, bias=False)
        self.act = nn.GELU()
        self.linear_2 = nn.Linear(hidden, outputs, bias=False)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """[..., inputs] to [..., outputs]."""
        found: torch.Tensor = self.linear_2(self.act(self.linear_1(states)))
        return found


class SamplerLayer(nn.Module):
    """One round: the query and the whole picture's mean decide what to look for."""

    def __init__(self, query_width: int, width: int, sides: Sequence[int], heads: int) -> None:
        super().__init__()
        self.proj_context = nn.Linear(width, width, bias=False)
        self.proj_in = nn.Linear(query_width + width, width, bias=False)
        self.proj_out = TwoLayers(width, width, query_width)
        self.norm = nn.LayerNorm(width)
        self.cross_attn = WindowAttention(width, len(sides), heads)
        for index, side in enumerate(sides):
            if side > 1:
                places = nn.Parameter(torch.randn(side * side, width))
                setattr(self, f"pos_embed_{index}", places)

    def forward(
        self,
        queries: torch.Tensor,
        context: torch.Tensor,
        windows: Sequence[torch.Tensor],
        seen: torch.Tensor,
    ) -> torch.Tensor:
        """Add to each query what it found.

        Args:
            queries: [queries, 1, query width].
            context: [queries, 1, width].
            windows: for each encoder [queries, features, width].
            seen: [queries, all features].

        Returns:
            [queries, 1, query width].
        """
        asked = self.proj_in(torch.cat([queries, self.proj_context(context)], -1))
        placed = [
            window + getattr(self, f"pos_embed_{index}") if window.shape[1] > 1 else window
            for index, window in enumerate(windows)
        ]
        found = self.norm(asked + self.cross_attn(asked, placed, seen))
        answered: torch.Tensor = queries + self.proj_out(found)
        return answered


class Sampler(nn.Module):
    """Some rounds of looking."""

    def __init__(
        self, query_width: int, width: int, sides: Sequence[int], heads: int, depth: int
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            SamplerLayer(query_width, width, sides, heads) for _ in range(depth)
        )

    def forward(
        self,
        queries: torch.Tensor,
        context: torch.Tensor,
        windows: Sequence[torch.Tensor],
        seen: torch.Tensor,
    ) -> torch.Tensor:
        """As `SamplerLayer`, once a layer."""
        for layer in self.layers:
            queries = layer(queries, context, windows, seen)
        return queries
