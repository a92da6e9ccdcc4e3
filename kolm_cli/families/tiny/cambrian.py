"""Cambrian-1: all four kinds of encoder, a four by four grid of queries, one inner sampler."""

from __future__ import annotations

from typing import Any

from kolm_cli.families.native import cambrian
from kolm_cli.families.tiny import templates, tokens, towers
from kolm_cli.families.tiny.pieces import Maker, Pieces

_SPECIAL = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
)
_PICTURES = [56, 56, 42, 64]


def make(width: int, layers: int) -> Pieces:
    """A random base: pictures of 42 to 64 px; the ConvNeXt gives four features a query."""
    cambrian.register()
    from kolm_cli.families.native.cambrian.configuration import CambrianConfig
    from kolm_cli.families.native.cambrian.modeling import CambrianLlamaForCausalLM

    start, end, pad = "<|begin_of_text|>", "<|eot_id|>", "<|end_of_text|>"
    config = CambrianConfig(
        **towers.decoder(width, layers, _SPECIAL, bos=start, eos=end, pad=pad), **connector()
    )
    tokenizer = tokens.byte_tokenizer(_SPECIAL, bos=start, eos=pad, pad=pad, add_bos=True)
    return Pieces(CambrianLlamaForCausalLM, config, processor(tokenizer, templates.LLAMA3))


def connector() -> dict[str, Any]:
    """What a tiny Cambrian's configuration says beside its decoder."""
    vit = towers.tower(image=56, patch=14)
    dino = {
        "model_type": "dinov2",
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "mlp_ratio": 2,
        "image_size": 56,
        "patch_size": 14,
    }
    convnext = {"model_type": "convnext", "hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}
    return {
        "mm_vision_tower_aux_list": ["siglip", "clip", "dinov2", "convnext"],
        "mm_vision_tower_aux_token_len_list": [16, 16, 16, 64],
        "image_token_len": 16,
        "vision_hidden_size": 32,
        "connector_depth": 2,
        "num_of_vision_sampler_layers": 1,
        "sampler_heads": 2,
        "encoder_configs": [
            {"model_type": "siglip_vision_model", "vision_use_head": False, **vit},
            {"model_type": "clip_vision_model", **vit},
            dino,
            convnext,
        ],
        "picture_sizes": _PICTURES,
    }


def processor(tokenizer: Any, chat_template: str) -> Any:
    """A tiny Cambrian's processor."""
    from kolm_cli.families.native.cambrian.image_processing import CambrianImageProcessor
    from kolm_cli.families.native.cambrian.processing import CambrianProcessor

    return CambrianProcessor(
        image_processor=CambrianImageProcessor(picture_sizes=_PICTURES, grid_side=4),
        tokenizer=tokenizer,
        chat_template=chat_template,
    )


VARIANTS: dict[str, Maker] = {"": make}
