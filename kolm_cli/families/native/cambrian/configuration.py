"""The published configurations, and the encoders that they name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, LlamaConfig, Phi3Config

from kolm_cli.families.native.cambrian.encoders import PUBLISHED


@dataclass
class Connector:
    """Cambrian's connector, beside a decoder's own configuration; published names throughout.

    Attributes:
        image_token_id: the id that stands for an image, where the vocabulary has room for one;
            ids outside the vocabulary always do.
        mm_vision_tower_aux_list: the encoders' published names.
        mm_vision_tower_aux_token_len_list: features of each, a square number.
        image_token_len: queries of a square picture, a square number.
        query_num_list: queries of each group; one group, of `image_token_len`.
        vision_hidden_size: width inside the connector.
        connector_depth: layers of the sampler before the language model.
        connector_only: no samplers inside the language model.
        num_of_vision_sampler_layers: how many samplers inside it.
        start_of_vision_sampler_layers: the first decoder layer that one follows.
        stride_of_vision_sampler_layers: decoder layers from one to the next.
        mm_vision_select_layer: the hidden state taken from CLIP.
        sampler_heads: attention heads of a sampler.
        encoder_configs: the encoders' own configurations, in order; those of their names when
            none are given.
        picture_sizes: side of the picture that each is shown, pixels.
    """

    image_token_id: int | None = None
    mm_vision_tower_aux_list: list[str] | None = None
    mm_vision_tower_aux_token_len_list: list[int] | None = None
    mm_projector_type: str = "sva"
    image_token_len: int = 576
    num_query_group: int = 1
    query_num_list: list[int] | None = None
    vision_hidden_size: int = 1024
    connector_depth: int = 3
    connector_only: bool = False
    num_of_vision_sampler_layers: int = 10
    start_of_vision_sampler_layers: int = 0
    stride_of_vision_sampler_layers: int = 3
    mm_vision_select_layer: int = -2
    sampler_heads: int = 16
    encoder_configs: list[dict[str, Any]] | None = None
    picture_sizes: list[int] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        """Look up the encoders, and refuse a connector that this code does not have.

        Raises:
            ValueError: another connector, or an encoder that is not known by name.
        """
        kind = type(self).__dict__["model_type"]
        names = self.mm_vision_tower_aux_list or list(PUBLISHED)
        self.mm_vision_tower_aux_list = names
        self.mm_vision_tower_aux_token_len_list = self.mm_vision_tower_aux_token_len_list or [
            *[576] * (len(names) - 1),
            9216,
        ]
        self.query_num_list = self.query_num_list or [self.image_token_len]
        if (self.mm_projector_type, self.query_num_list) != ("sva", [self.image_token_len]):
            raise ValueError(f"{kind}: only the spatial vision aggregator with one group")
        if self.encoder_configs is None or self.picture_sizes is None:
            unknown = [name for name in names if name not in PUBLISHED]
            if unknown:
                raise ValueError(f"{kind}: unknown encoders {', '.join(unknown)}")
            self.encoder_configs = [PUBLISHED[name].config for name in names]
            self.picture_sizes = [PUBLISHED[name].picture for name in names]
        # The checkpoint's own code is never run.
        kwargs.pop("auto_map", None)
        decoder: Any = super()
        decoder.__post_init__(**kwargs)

    def encoders(self) -> list[Any]:
        """The encoders' configurations as objects of their classes."""
        found = []
        for values in self.encoder_configs or []:
            rest = dict(values)
            found.append(AutoConfig.for_model(rest.pop("model_type"), **rest))
        return found


@strict
class CambrianConfig(Connector, LlamaConfig):
    """Cambrian-1 with Llama 3 (8B) or Vicuna (13B)."""

    model_type = "cambrian_llama"


@strict
class CambrianPhi3Config(Connector, Phi3Config):
    """Cambrian-1 with Phi-3-mini (3B)."""

    model_type = "cambrian_phi3"


__all__ = ["CambrianConfig", "CambrianPhi3Config"]
