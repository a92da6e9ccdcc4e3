"""Cambrian-1 with a Phi-3, in whose vocabulary the id of an image has room."""

from __future__ import annotations

from kolm_cli.families.native import cambrian
from kolm_cli.families.tiny import templates, tokens, towers
from kolm_cli.families.tiny.cambrian import connector, processor
from kolm_cli.families.tiny.pieces import Maker, Pieces

_SPECIAL = ("<s>", "<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>")
_SPARE_ROWS = 8


def make(width: int, layers: int) -> Pieces:
    """A random base; its embedding has rows to spare, as the published one."""
    cambrian.register()
    from kolm_cli.families.native.cambrian.configuration import CambrianPhi3Config
    from kolm_cli.families.native.cambrian.modeling import CambrianPhi3ForCausalLM

    pad = "<|endoftext|>"
    decoder = towers.decoder(width, layers, _SPECIAL, bos="<s>", eos="<|end|>", pad=pad)
    decoder.pop("head_dim")
    decoder["vocab_size"] += _SPARE_ROWS
    tokenizer = tokens.byte_tokenizer(_SPECIAL, bos="<s>", eos=pad, pad=pad, add_bos=True)
    pieces = processor(tokenizer, templates.PHI3)
    config = CambrianPhi3Config(**decoder, **connector(), image_token_id=pieces.image_token_id)
    return Pieces(CambrianPhi3ForCausalLM, config, pieces)


VARIANTS: dict[str, Maker] = {"": make}
