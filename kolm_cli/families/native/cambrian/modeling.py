"""Llama with Cambrian's encoders and connector; parameters are named as in the checkpoint."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import AutoModel, LlamaForCausalLM, LlamaModel
from transformers import initialization as init
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaPreTrainedModel
from transformers.utils import torch_compilable_check

from kolm_cli.families.native.cambrian.configuration import CambrianConfig
from kolm_cli.families.native.cambrian.encoders import width_of
from kolm_cli.families.native.cambrian.sampler import Sampler, SamplerLayer
from kolm_cli.families.native.cambrian.windows import content_box, seen_windows, split_windows
from kolm_cli.families.native.pictures_in_text import ShowsPictures


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


class LookingLayer(LlamaDecoderLayer):
    """Llama's layer, after which the places of a picture may look at it again."""

    def forward(
        self, hidden_states: torch.Tensor, *args: Any, pictures: Pictures | None = None, **kw: Any
    ) -> torch.Tensor:
        """[batch, tokens, width] to the same."""
        states: torch.Tensor = super().forward(hidden_states, *args, **kw)
        return states if pictures is None else pictures.after(self.self_attn.layer_idx, states)


class CambrianPreTrainedModel(LlamaPreTrainedModel):
    """What the two classes below share."""

    config_class = CambrianConfig
    input_modalities = ("image", "text")
    _no_split_modules = ["LookingLayer", "Encoder"]  # noqa: RUF012  # as transformers

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        std = self.config.hidden_size**-0.5
        if isinstance(module, SamplerLayer):
            for name, parameter in module.named_parameters(recurse=False):
                if name.startswith("pos_embed_"):
                    init.normal_(parameter)
        elif isinstance(module, CambrianModel):
            init.normal_(module.vision_query, std=std)
            init.normal_(module.image_newline, std=std)


class CambrianModel(CambrianPreTrainedModel, LlamaModel):
    """The decoder, the encoders before it, and the connector before and inside it."""

    def __init__(self, config: CambrianConfig) -> None:
        super().__init__(config)
        width, lengths = config.vision_hidden_size, config.mm_vision_tower_aux_token_len_list or []
        self.side = math.isqrt(config.image_token_len)
        sides = [math.isqrt(length) // self.side for length in lengths]
        self.layers = nn.ModuleList(
            LookingLayer(config, index) for index in range(config.num_hidden_layers)
        )
        encoders = config.encoders()
        self.vision_tower_aux_list = nn.ModuleList(
            Encoder(encoder, tokens=length, picture=picture, layer=config.mm_vision_select_layer)
            for encoder, length, picture in zip(
                encoders, lengths, config.picture_sizes or [], strict=True
            )
        )
        for index, encoder in enumerate(encoders):
            aligned = nn.Sequential(
                nn.Linear(width_of(encoder), width),
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
        self.post_init()

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        pixel_values: torch.Tensor | None = None,
        image_sizes: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """Llama's forward over text and one picture a row, in the order of the rows.

        Args:
            input_ids: [batch, tokens]; ids outside the vocabulary are places of a picture.
            inputs_embeds: [batch, tokens, hidden size], instead of `input_ids`.
            pixel_values: [images, values], as the image processor lays them out.
            image_sizes: [images, 2], height and width in pixels.
            kwargs: Llama's own.

        Raises:
            ValueError: neither or both of `input_ids` and `inputs_embeds` are given, or images
                and the tokens that stand for them do not agree.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give exactly one of input_ids and inputs_embeds")
        pictures = None
        if input_ids is not None:
            places = (input_ids < 0) | (input_ids >= self.config.vocab_size)
            inputs_embeds = self.embed_tokens(input_ids.masked_fill(places, 0))
            if pixel_values is not None and image_sizes is not None:
                features, pictures = self._look(places, pixel_values, image_sizes)
                features = features.to(inputs_embeds.dtype)
                inputs_embeds = inputs_embeds.masked_scatter(places[..., None], features)
            elif input_ids.shape[1] > 1:
                torch_compilable_check(~places.any(), "image tokens, but no pixel_values")
        elif pixel_values is not None:
            raise ValueError("pixel_values need input_ids, which say where the pictures are")
        return super().forward(inputs_embeds=inputs_embeds, pictures=pictures, **kwargs)

    def encode(self, pixel_values: torch.Tensor) -> list[torch.Tensor]:
        """Each encoder's features [images, tokens, its width]."""
        encoders: list[Any] = list(self.vision_tower_aux_list)
        sizes = [3 * encoder.picture**2 for encoder in encoders]
        parts = torch.split(pixel_values, sizes, dim=1)
        dtype = self.image_newline.dtype
        return [encoder(part.to(dtype)) for encoder, part in zip(encoders, parts, strict=True)]

    def _look(
        self, places: torch.Tensor, pixel_values: torch.Tensor, image_sizes: torch.Tensor
    ) -> tuple[torch.Tensor, Pictures]:
        """The pictures' tokens [tokens, hidden size], and what is looked at inside the decoder."""
        aligned = [
            getattr(self, f"mm_projector_aux_{index}")(features)
            for index, features in enumerate(self.encode(pixel_values))
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


class CambrianLlamaForCausalLM(ShowsPictures, CambrianPreTrainedModel, LlamaForCausalLM):
    """Cambrian-1 with Llama 3 or Vicuna."""

    def __init__(self, config: CambrianConfig) -> None:
        # Llama's own constructor would build a decoder without the encoders.
        LlamaPreTrainedModel.__init__(self, config)
        self.model = CambrianModel(config)
        self.vocab_size = config.vocab_size
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()


__all__ = ["CambrianLlamaForCausalLM", "CambrianModel"]
