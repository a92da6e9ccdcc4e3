"""Configurations of small towers, and how a tiny base is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kolm_cli.families.tiny.tokens import FIRST_SPECIAL, token_id

# The longest text of a test, in bytes, with room for the image tokens of four images.
POSITIONS = 4096


def decoder(
    width: int, layers: int, special: Sequence[str], *, bos: str | None, eos: str, pad: str
) -> dict[str, Any]:
    """A Llama-like language tower over bytes; four heads, grouped two and two."""
    return {
        "vocab_size": FIRST_SPECIAL + len(special),
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": width // 4,
        "max_position_embeddings": POSITIONS,
        "bos_token_id": None if bos is None else token_id(special, bos),
        "eos_token_id": token_id(special, eos),
        "pad_token_id": token_id(special, pad),
    }


def tower(*, image: int, patch: int, layers: int = 2, width: int = 32) -> dict[str, Any]:
    """A vision transformer over square images of `image` px, in patches of `patch` px."""
    return {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "image_size": image,
        "patch_size": patch,
    }


def write(folder: Path, model_class: Any, config: Any, processor: Any, *, seed: int) -> None:
    """Make the model from `seed` and save it with its processor."""
    import torch

    torch.manual_seed(seed)
    model = model_class(config)
    text = config.get_text_config()
    model.generation_config.eos_token_id = text.eos_token_id
    model.generation_config.pad_token_id = text.pad_token_id
    spread(model)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def spread(model: Any) -> None:
    """Add noise to vectors and to what starts at zero, so that nothing in the model is idle.

    Gates, newline marks and extension vectors start at zero in several classes: their
    neighbors would see no gradient, and a test could not tell them apart.
    """
    import torch

    for parameter in model.parameters():
        if parameter.dim() < 2 or not parameter.any():
            parameter.data += torch.randn(parameter.shape) * 0.02
