"""Phi-4-multimodal (the native class): vision and audio inside the embedding; audio is `other`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.families.base import Family, Paper
from kolm_cli.families.support import Experimental
from kolm_cli.families.tiny import templates, tokens, towers
from kolm_cli.families.unused_layers import after_layers

_SPECIAL = (
    "<|endoftext|>",
    "<|pad|>",
    "<|end|>",
    "<|user|>",
    "<|assistant|>",
    "<|system|>",
    "<|image|>",
    "<|audio|>",
)
_IMAGE = "model.embed_tokens_extend.image_embed"


@dataclass(frozen=True)
class Phi4Multimodal(Family):
    """Phi-4-multimodal (arXiv:2503.01743)."""

    def render(self, processor: Any, messages: list[dict[str, Any]], *, prompt: bool) -> str:
        """Without the token that the template appends to a conversation it takes for finished."""
        text = super().render(processor, messages, prompt=prompt)
        return text if prompt else text.removesuffix(self.tokenizer(processor).eos_token)

    def never_used(self, model: Any) -> tuple[str, ...]:
        """What comes after the feature layer."""
        vision = model.config.vision_config
        idle = after_layers(vision.num_hidden_layers, vision.feature_layer)
        return (*super().never_used(model), *idle)

    def write_tiny(
        self, folder: Path, *, seed: int, width: int, layers: int, variant: str = ""
    ) -> None:
        """Write a random base; the processor counts tokens for crops of 448 px and no others."""
        from transformers import (
            Phi4MultimodalConfig,
            Phi4MultimodalFeatureExtractor,
            Phi4MultimodalForCausalLM,
            Phi4MultimodalImageProcessor,
            Phi4MultimodalProcessor,
        )

        end, pad = "<|endoftext|>", "<|pad|>"
        decoder = towers.decoder(width, layers, _SPECIAL, bos=end, eos="<|end|>", pad=pad)
        decoder.pop("head_dim")
        config = Phi4MultimodalConfig(
            **decoder,
            vision_config={
                **towers.tower(image=448, patch=14, width=16),
                "image_token_id": tokens.token_id(_SPECIAL, "<|image|>"),
            },
            audio_config={
                "hidden_size": 16,
                "intermediate_size": 32,
                "num_blocks": 1,
                "num_attention_heads": 2,
                "ext_pw_out_channel": 16,
                "depthwise_separable_out_channel": 16,
                "nemo_conv_channels": 16,
                "audio_token_id": tokens.token_id(_SPECIAL, "<|audio|>"),
            },
        )
        processor = Phi4MultimodalProcessor(
            image_processor=Phi4MultimodalImageProcessor(dynamic_hd=4),
            audio_processor=Phi4MultimodalFeatureExtractor(),
            tokenizer=tokens.byte_tokenizer(
                _SPECIAL,
                bos=end,
                eos=end,
                pad=pad,
                image_token="<|image|>",
                audio_token="<|audio|>",
            ),
            chat_template=templates.PHI4,
        )
        processor.tokenizer.chat_template = templates.PHI4
        towers.write(folder, Phi4MultimodalForCausalLM, config, processor, seed=seed)


FAMILY = Phi4Multimodal(
    name="phi4_multimodal",
    model_types=("phi4_multimodal",),
    id_patterns=("*phi-4-multimodal*",),
    written_for=("microsoft/Phi-4-multimodal-instruct",),
    papers=(Paper("Phi-4-Mini Technical Report", "https://arxiv.org/abs/2503.01743"),),
    support=Experimental(
        "the published checkpoint keeps its skill with images in an adapter of its own, which is"
        " not loaded: merge it into the base first"
    ),
    vision=(f"{_IMAGE}.img_processor",),
    projector=(
        f"{_IMAGE}.img_projection_up",
        f"{_IMAGE}.img_projection_down",
        f"{_IMAGE}.global_img_feature_extensor",
        f"{_IMAGE}.sub_img_feature_extensor",
    ),
    language=("model.layers", "model.norm", "model.embed_tokens"),
    other=("model.embed_tokens_extend.audio_embed",),
    lora_default=("qkv_proj", "o_proj", "gate_up_proj", "down_proj"),
    auto_class="AutoModelForCausalLM",
    end_tokens=("<|end|>",),
    image_keys=("image_pixel_values", "image_sizes", "image_attention_mask"),
    # Crops that an image does not have are masked in, since a fully masked one has no softmax.
    image_fill={"image_attention_mask": 1},
)
