"""What makes a decoder a Cambrian: its encoders, and the connector before and inside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import initialization as init
from transformers.utils import torch_compilable_check

from kolm_cli.families.native.cambrian.encoders import width_of
from kolm_cli.families.native.cambrian.feature_maps import Encoder
from kolm_cli.families.native.cambrian.sampler import Sampler, SamplerLayer
from kolm_cli.families.native.cambrian.windows import content_box, seen_windows, split_windows


@dataclass
class Pictures:
    """What the samplers inside the language model look at.

    Attributes:
        places: [queries], where the queries are among all tokens of the batch.
        context: [queries, 1, width], the mean of the query's own picture.
        windows: for each encoder [queries, features, width].
        seen: [queries, all features].
        samplers: the sampler that follows a decoder layer, by the layer's number.
    """

    places: torch.Tensor
    context: torch.Tensor
    windows: list[torch.Tensor]
    seen: torch.Tensor
    samplers: dict[int, nn.Module]

    def after(self, layer: int, states: torch.Tensor) -> torch.Tensor:
        """[batch, tokens, width], with what the queries found after that decoder layer."""
        sampler = self.samplers.get(layer)
        if sampler is None:
            return states
        flat = states.flatten(0, 1)
        queries = sampler(flat[self.places, None], self.context, self.windows, self.seen)
        return flat.index_copy(0, self.places, queries[:, 0].to(flat.dtype)).view_as(states)


class LooksAgain:
    """Goes before a decoder's layer: the places of a picture may look at it after that layer."""

    self_attn: Any

    def forward(
        self, hidden_states: torch.Tensor, *args: Any, pictures: Pictures | None = None, **kw: Any
    ) -> torch.Tensor:
        """[batch, tokens, width] to the same."""
        layer: Any = super()
        states: torch.Tensor = layer.forward(hidden_states, *args, **kw)
        return states if pictures is None else pictures.after(self.self_attn.layer_idx, states)


class Starts:
    """Goes before a pre-trained model: how the connector's bare parameters begin."""

    config: Any

    def _init_weights(self, module: nn.Module) -> None:
        decoder: Any = super()
        decoder._init_weights(module)
        std = self.config.hidden_size**-0.5
        if isinstance(module, SamplerLayer):
            for name, parameter in module.named_parameters(recurse=False):
                if name.startswith("pos_embed_"):
                    init.normal_(parameter)
        elif isinstance(module, Connected):
            init.normal_(module.vision_query, std=std)
            init.normal_(module.image_newline, std=std)


class Connected:
    """Goes before a decoder that takes `pictures`: the encoders, and the connector.

    Parameters are named as in the published checkpoints.
    """

    config: Any
    embed_tokens: Any
    vision_query: nn.Parameter
    image_newline: nn.Parameter

    def connect(self) -> None:
        """Make the encoders and the connector; once, after the decoder."""
        config = self.config
        width, lengths = config.vision_hidden_size, config.mm_vision_tower_aux_token_len_list or []
        self.side = math.isqrt(config.image_token_len)
        sides = [math.isqrt(length) // self.side for length in lengths]
        encoders = config.encoders()
        self.widths = [width_of(encoder) for encoder in encoders]
        self.vision_tower_aux_list = nn.ModuleList(
            Encoder(encoder, tokens=length, picture=picture, layer=config.mm_vision_select_layer)
            for encoder, length, picture in zip(
                encoders, lengths, config.picture_sizes or [], strict=True
            )
        )
        for index, own in enumerate(self.widths):
            aligned = nn.Sequential(
                nn.Linear(own, width),
                nn.GELU(),
                nn.Linear(width, width),
                nn.LayerNorm(width),
            )
            setattr(self, f"mm_projector_aux_{index}", aligned)
        heads = config.sampler_heads
        self.vision_sampler_0 = Sampler(width, width, sides, heads, config.connector_depth)
        self.mm_projector = nn.Sequential(
            nn.Linear(width, config.hidden_size),
            nn.GELU(),
            nn.Linear(config.hidden_size, config.hidden_size),
        )
        inside = 0 if config.connector_only else config.num_of_vision_sampler_layers
        if inside:
            self.vision_sampler_layers = nn.ModuleList(
                Sampler(config.hidden_size, width, sides, heads, 1) for _ in range(inside)
            )
        first = config.start_of_vision_sampler_layers
        stride = config.stride_of_vision_sampler_layers
        self.follows = {first + stride * index: index for index in range(inside)}
        self.vision_query = nn.Parameter(torch.zeros(1, width))
        self.image_newline = nn.Parameter(torch.zeros(config.hidden_size))

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        pixel_values: torch.Tensor | None = None,
        image_sizes: torch.Tensor | None = None,
        image_features: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """The decoder's forward over text and one picture a row, in the order of the rows.

        Args:
            input_ids: [batch, tokens]; ids outside the vocabulary are places of a picture.
            inputs_embeds: [batch, tokens, hidden size], instead of `input_ids`.
            pixel_values: [images, values], as the image processor lays them out.
            image_sizes: [images, 2], height and width in pixels.
            image_features: [images, values], what `encode` gave, instead of `pixel_values`.
            kwargs: the decoder's own.

        Raises:
            ValueError: neither or both of `input_ids` and `inputs_embeds` are given, or images
                and the tokens that stand for them do not agree.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give exactly one of input_ids and inputs_embeds")
        pictures = None
        if input_ids is not None:
            places = self.places(input_ids)
            inputs_embeds = self.embed_tokens(input_ids.masked_fill(places, 0))
            if image_features is None and pixel_values is not None:
                image_features = self.encode(pixel_values)
            if image_features is not None and image_sizes is not None:
                features, pictures = self._look(places, image_features, image_sizes)
                features = features.to(inputs_embeds.dtype)
                inputs_embeds = inputs_embeds.masked_scatter(places[..., None], features)
            elif input_ids.shape[1] > 1:
                torch_compilable_check(~places.any(), "image tokens, but no pixel_values")
        elif pixel_values is not None:
            raise ValueError("pixel_values need input_ids, which say where the pictures are")
        decoder: Any = super()
        return decoder.forward(inputs_embeds=inputs_embeds, pictures=pictures, **kwargs)

    def places(self, input_ids: torch.Tensor) -> torch.Tensor:
        """[batch, tokens], where a picture stands: such ids are never looked up."""
        outside: torch.Tensor = (input_ids < 0) | (input_ids >= self.config.vocab_size)
        own = self.config.image_token_id
        if own is not None:
            outside |= input_ids == own
        return outside

    def encode(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """All encoders' features [images, values], one encoder after the other, laid flat."""
        encoders: list[Any] = list(self.vision_tower_aux_list)
        sizes = [3 * encoder.picture**2 for encoder in encoders]
        parts = torch.split(pixel_values, sizes, dim=1)
        dtype = self.image_newline.dtype
        features = [encoder(part.to(dtype)) for encoder, part in zip(encoders, parts, strict=True)]
        return torch.cat([one.flatten(1) for one in features], 1)

    def apart(self, image_features: torch.Tensor) -> list[torch.Tensor]:
        """Each encoder's features [images, tokens, its width], of what `encode` gave."""
        lengths = self.config.mm_vision_tower_aux_token_len_list
        sizes = [length * width for length, width in zip(lengths, self.widths, strict=True)]
        return [
            part.reshape(part.shape[0], -1, width)
            for part, width in zip(torch.split(image_features, sizes, 1), self.widths, strict=True)
        ]

    def _look(
        self, places: torch.Tensor, image_features: torch.Tensor, image_sizes: torch.Tensor
    ) -> tuple[torch.Tensor, Pictures]:
        """The pictures' tokens [tokens, hidden size], and what is looked at inside the decoder."""
        dtype = self.image_newline.dtype
        aligned = [
            getattr(self, f"mm_projector_aux_{index}")(features.to(dtype))
            for index, features in enumerate(self.apart(image_features))
        ]
        side, sizes = self.side, image_sizes.tolist()
        boxes = [content_box(height, width, side) for height, width in sizes]
        windows, seen = self._windows(aligned, sizes)
        context = aligned[0].mean(1)
        queries = self.vision_query.expand(len(sizes) * side * side, -1)[:, None]
        about = context.repeat_interleave(side * side, 0)[:, None]
        flat = [window.flatten(0, 2) for window in windows]
        found = self.vision_sampler_0(queries, about, flat, seen.flatten(0, 2))
        grids = self.mm_projector(found[:, 0]).unflatten(0, (len(sizes), side, side))
        tokens, grid_places = [], []
        for grid, (top, bottom, left, right) in zip(grids, boxes, strict=True):
            inner = grid[top:bottom, left:right]
            ends = self.image_newline.expand(bottom - top, 1, -1).to(inner.dtype)
            tokens.append(torch.cat([inner, ends], 1).flatten(0, 1))
            pattern = torch.ones(inner.shape[0], inner.shape[1] + 1, dtype=torch.bool)
            pattern[:, -1] = False
            grid_places.append(pattern.flatten())
        joined = torch.cat(tokens)
        torch_compilable_check(
            places.sum() == joined.shape[0],
            f"the pictures have {joined.shape[0]} tokens, the text another number of places",
        )
        where = places.flatten().nonzero()[:, 0][torch.cat(grid_places).to(places.device)]
        inside = [
            torch.cat([_crop(picture, box) for picture, box in zip(window, boxes, strict=True)])
            for window in windows
        ]
        return joined, Pictures(
            places=where,
            context=torch.cat(
                [
                    one.expand((bottom - top) * (right - left), 1, -1)
                    for one, (top, bottom, left, right) in zip(context, boxes, strict=True)
                ]
            ),
            windows=inside,
            seen=torch.cat([_crop(one, box) for one, box in zip(seen, boxes, strict=True)]),
            samplers={
                layer: self.vision_sampler_layers[index] for layer, index in self.follows.items()
            },
        )

    def _windows(
        self, aligned: list[torch.Tensor], sizes: list[list[int]]
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Each encoder's windows [images, side, side, features, width], and what of them is seen.

        The latter is [images, side, side, all features].
        """
        windows, seen = [], []
        for features in aligned:
            grid = math.isqrt(features.shape[1])
            windows.append(torch.stack([split_windows(one, self.side) for one in features]))
            visible = [
                seen_windows(content_box(height, width, grid), grid, self.side)
                for height, width in sizes
            ]
            seen.append(torch.stack(visible))
        return windows, torch.cat(seen, -1).to(aligned[0].device)


def _crop(grid: torch.Tensor, box: tuple[int, int, int, int]) -> torch.Tensor:
    """[side, side, ...] inside the box, as [queries, ...]."""
    top, bottom, left, right = box
    return grid[top:bottom, left:right].flatten(0, 1)
