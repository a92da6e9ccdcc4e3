"""Phi-3-vision: tiles of 56 px, of which four tokens come, before a Phi-3 with long rope."""

from __future__ import annotations

from kolm_cli.families.native import phi3_v
from kolm_cli.families.tiny import templates, tokens, towers
from kolm_cli.families.tiny.pieces import Maker, Pieces

_SPECIAL = (
    "<s>",
    "<|endoftext|>",
    "<|assistant|>",
    "<|system|>",
    "<|end|>",
    "<|user|>",
    "<|image|>",
)
_TILE = 56


def make(width: int, layers: int) -> Pieces:
    """A random base: at most four tiles of 56 px an image, in sixteen patches each."""
    phi3_v.register()
    from kolm_cli.families.native.phi3_v.configuration import Phi3VConfig
    from kolm_cli.families.native.phi3_v.image_processing import Phi3VImageProcessor
    from kolm_cli.families.native.phi3_v.modeling import Phi3VForCausalLM
    from kolm_cli.families.native.phi3_v.processing import Phi3VProcessor

    pad = "<|endoftext|>"
    decoder = towers.decoder(width, layers, _SPECIAL, bos="<s>", eos="<|end|>", pad=pad)
    frequencies = decoder.pop("head_dim") // 2
    config = Phi3VConfig(
        **decoder,
        original_max_position_embeddings=towers.POSITIONS // 2,
        rope_scaling={
            "type": "su",
            "short_factor": [1.0 + 0.01 * index for index in range(frequencies)],
            "long_factor": [1.0 + 0.5 * index for index in range(frequencies)],
        },
        vision_config=towers.tower(image=_TILE, patch=14),
        image_token_id=tokens.token_id(_SPECIAL, "<|image|>"),
    )
    processor = Phi3VProcessor(
        image_processor=Phi3VImageProcessor(num_crops=4, num_img_tokens=4, tile_size=_TILE),
        tokenizer=tokens.byte_tokenizer(_SPECIAL, bos="<s>", eos=pad, pad=pad, add_bos=True),
    )
    # As published: the tokenizer has the template.
    processor.tokenizer.chat_template = templates.PHI3
    return Pieces(Phi3VForCausalLM, config, processor)


VARIANTS: dict[str, Maker] = {"": make}
