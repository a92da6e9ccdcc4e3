"""The decoders with Cambrian's encoders and connector; parameters are named as in checkpoints."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import LlamaForCausalLM, LlamaModel, Phi3ForCausalLM, Phi3Model
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaPreTrainedModel
from transformers.models.phi3.modeling_phi3 import Phi3DecoderLayer, Phi3PreTrainedModel

from kolm_cli.families.native.cambrian.configuration import CambrianConfig, CambrianPhi3Config
from kolm_cli.families.native.cambrian.connector import Connected, LooksAgain, Starts
from kolm_cli.families.native.pictures_in_text import ShowsPictures


def _layers(kind: Any, config: Any) -> nn.ModuleList:
    return nn.ModuleList(kind(config, index) for index in range(config.num_hidden_layers))


class LookingLayer(LooksAgain, LlamaDecoderLayer):
    """Llama's layer, after which the places of a picture may look at it again."""


class CambrianPreTrainedModel(Starts, LlamaPreTrainedModel):
    """What the two classes below share."""

    config_class = CambrianConfig
    input_modalities = ("image", "text")
    _no_split_modules = ["LookingLayer", "Encoder"]  # noqa: RUF012  # as transformers


class CambrianModel(Connected, CambrianPreTrainedModel, LlamaModel):
    """Llama, the encoders before it, and the connector before and inside it."""

    def __init__(self, config: CambrianConfig) -> None:
        super().__init__(config)
        self.layers = _layers(LookingLayer, config)
        self.connect()
        self.post_init()


class CambrianLlamaForCausalLM(ShowsPictures, CambrianPreTrainedModel, LlamaForCausalLM):
    """Cambrian-1 with Llama 3 or Vicuna."""

    def __init__(self, config: CambrianConfig) -> None:
        # Llama's own constructor would build a decoder without the encoders.
        LlamaPreTrainedModel.__init__(self, config)
        self.model = CambrianModel(config)
        self.vocab_size = config.vocab_size
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()


class LookingPhi3Layer(LooksAgain, Phi3DecoderLayer):
    """Phi-3's layer, after which the places of a picture may look at it again."""


class CambrianPhi3PreTrainedModel(Starts, Phi3PreTrainedModel):
    """What the two classes below share."""

    config_class = CambrianPhi3Config
    input_modalities = ("image", "text")
    _no_split_modules = ["LookingPhi3Layer", "Encoder"]  # noqa: RUF012  # as transformers


class CambrianPhi3Model(Connected, CambrianPhi3PreTrainedModel, Phi3Model):
    """Phi-3, the encoders before it, and the connector before and inside it."""

    def __init__(self, config: CambrianPhi3Config) -> None:
        super().__init__(config)
        self.layers = _layers(LookingPhi3Layer, config)
        self.connect()
        self.post_init()


class CambrianPhi3ForCausalLM(ShowsPictures, CambrianPhi3PreTrainedModel, Phi3ForCausalLM):
    """Cambrian-1 with Phi-3-mini."""

    def __init__(self, config: CambrianPhi3Config) -> None:
        # Phi-3's own constructor would build a decoder without the encoders.
        Phi3PreTrainedModel.__init__(self, config)
        self.model = CambrianPhi3Model(config)
        self.vocab_size = config.vocab_size
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()


__all__ = ["CambrianLlamaForCausalLM", "CambrianPhi3ForCausalLM"]
