"""Phi-3 with CLIP's tower inside its embedding; parameters are named as in the checkpoint."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import CLIPVisionModel, Phi3ForCausalLM, Phi3Model
from transformers import initialization as init
from transformers.models.phi3.modeling_phi3 import Phi3PreTrainedModel
from transformers.utils import torch_compilable_check

from kolm_cli.families.native.phi3_v.configuration import Phi3VConfig
from kolm_cli.families.native.phi3_v.joining import join_views
from kolm_cli.families.native.pictures_in_text import ShowsPictures


class ImageTower(nn.Module):
    """CLIP's tower, up to the layer whose features are projected."""

    def __init__(self, config: Phi3VConfig) -> None:
        super().__init__()
        self.vision_model = CLIPVisionModel._from_config(config.vision_config)
        self.layer = config.vision_feature_layer

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """[views, 3, tile, tile] to [views, patches, width]; the class token is left out."""
        output = self.vision_model(pixels, output_hidden_states=True)
        features: torch.Tensor = output.hidden_states[self.layer]
        return features[:, 1:]


class ImageEmbedding(nn.Module):
    """Images as tokens of the language tower."""

    def __init__(self, config: Phi3VConfig) -> None:
        super().__init__()
        vision: Any = config.vision_config
        joined = 4 * vision.hidden_size
        self.tile = vision.image_size
        self.img_processor = ImageTower(config)
        self.glb_GN = nn.Parameter(torch.zeros(1, 1, joined))
        self.sub_GN = nn.Parameter(torch.zeros(1, 1, 1, joined))
        self.img_projection = nn.Sequential(
            nn.Linear(joined, config.hidden_size),
            nn.GELU(),
            nn.Linear(config.hidden_size, config.hidden_size),
        )

    def forward(self, pixel_values: torch.Tensor, image_sizes: torch.Tensor) -> torch.Tensor:
        """Every image's tokens, one image after the other: [tokens, hidden size]."""
        features = self.encode(pixel_values, image_sizes)
        return torch.cat(self.project(features, image_sizes))

    def encode(self, pixel_values: torch.Tensor, image_sizes: torch.Tensor) -> torch.Tensor:
        """The tower's features of all views, image after image.

        Args:
            pixel_values: [images, 1 + most tiles, 3, tile, tile]; views that an image does not
                have are never looked at.
            image_sizes: [images, 2], height and width of each padded image, pixels.

        Returns:
            [views, patches, width].
        """
        counts = [1 + rows * columns for rows, columns in self._grids(image_sizes)]
        views = [image[:count] for image, count in zip(pixel_values, counts, strict=True)]
        features: torch.Tensor = self.img_processor(torch.cat(views).to(self.glb_GN.dtype))
        return features

    def project(self, features: torch.Tensor, image_sizes: torch.Tensor) -> list[torch.Tensor]:
        """What `encode` gave, as one tensor [tokens, hidden size] an image."""
        grids = self._grids(image_sizes)
        images = torch.split(features, [1 + rows * columns for rows, columns in grids])
        joined = [
            join_views(image, *grid, newline=self.sub_GN, separator=self.glb_GN)
            for image, grid in zip(images, grids, strict=True)
        ]
        tokens: torch.Tensor = self.img_projection(torch.cat(joined))
        return list(torch.split(tokens, [len(image) for image in joined]))

    def _grids(self, image_sizes: torch.Tensor) -> list[tuple[int, int]]:
        """Rows and columns of tiles of each image."""
        return [(rows, columns) for rows, columns in (image_sizes // self.tile).tolist()]


class Phi3VPreTrainedModel(Phi3PreTrainedModel):
    """What the two classes below share."""

    config_class = Phi3VConfig
    input_modalities = ("image", "text")
    _no_split_modules = ["Phi3DecoderLayer", "CLIPEncoderLayer"]  # noqa: RUF012  # as transformers
    # The published code holds the text embedding a second time, under this name.
    _keys_to_ignore_on_load_unexpected = [r"vision_embed_tokens\.wte\.weight"]  # noqa: RUF012

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, ImageEmbedding):
            init.zeros_(module.glb_GN)
            init.zeros_(module.sub_GN)


class Phi3VModel(Phi3VPreTrainedModel, Phi3Model):
    """The decoder, and the tower before it."""

    def __init__(self, config: Phi3VConfig) -> None:
        super().__init__(config)
        self.vision_embed_tokens = ImageEmbedding(config)
        self.post_init()

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        pixel_values: torch.Tensor | None = None,
        image_sizes: torch.Tensor | None = None,
        mm_encoder_outputs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Phi-3's forward over text and images; see `ImageEmbedding` for the latter.

        `mm_encoder_outputs` are images that are projected already, as transformers' own families
        take them.

        Raises:
            ValueError: neither or both of `input_ids` and `inputs_embeds` are given, or images
                and the tokens that stand for them do not agree.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give exactly one of input_ids and inputs_embeds")
        if input_ids is not None:
            features = None
            if mm_encoder_outputs is not None:
                features = torch.cat(list(mm_encoder_outputs["image"].pooler_output))
            elif pixel_values is not None:
                features = self.vision_embed_tokens(pixel_values, image_sizes)
            inputs_embeds = self._embed(input_ids, features)
        elif pixel_values is not None:
            raise ValueError("pixel_values need input_ids, which say where the images are")
        return super().forward(inputs_embeds=inputs_embeds, **kwargs)

    def _embed(self, input_ids: torch.Tensor, features: torch.Tensor | None) -> torch.Tensor:
        """[batch, tokens] to [batch, tokens, hidden size]; no id of an image is looked up."""
        places = (input_ids < 0) | (input_ids == self.config.image_token_id)
        embeds: torch.Tensor = self.embed_tokens(input_ids.masked_fill(places, 0))
        if features is None:
            # One token at a time is what was generated, where asking would cost a wait a token.
            if input_ids.shape[1] > 1:
                torch_compilable_check(~places.any(), "image tokens, but no pixel_values")
            return embeds
        torch_compilable_check(
            places.sum() == features.shape[0],
            f"the images have {features.shape[0]} features, the text another number of places",
        )
        return embeds.masked_scatter(places[..., None], features.to(embeds.dtype))


class Phi3VForCausalLM(ShowsPictures, Phi3VPreTrainedModel, Phi3ForCausalLM):
    """Phi-3-vision and Phi-3.5-vision."""

    def __init__(self, config: Phi3VConfig) -> None:
        # Phi-3's own constructor would build a decoder without the tower.
        Phi3PreTrainedModel.__init__(self, config)
        self.model = Phi3VModel(config)
        self.vocab_size = config.vocab_size
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()


__all__ = ["Phi3VForCausalLM", "Phi3VModel"]
