"""Phi-4-multimodal (the native class): vision and audio inside the embedding; audio is `other`."""

from __future__ import annotations

from kolm_cli.families.tiny import templates, tokens, towers
from kolm_cli.families.tiny.pieces import Maker, Pieces

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


def make(width: int, layers: int) -> Pieces:
    """A random base; the processor counts tokens for crops of 448 px and no others."""
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
    return Pieces(Phi4MultimodalForCausalLM, config, processor)


VARIANTS: dict[str, Maker] = {"": make}
