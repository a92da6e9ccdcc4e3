"""Loading a base so that nothing is silently missing from it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from kolm_cli.core.errors import InputError, LackingError, Problem
from kolm_cli.families.resolve import Base


def load_base(base: Base, *, bf16: bool, attention: str = "auto") -> nn.Module:
    """The base on the CPU.

    Args:
        base: the base model.
        bf16: load its weights in bf16, else in fp32.
        attention: the implementation of attention; `auto` takes what transformers prefers for
            the class, which `attention_of` names.

    Raises:
        LackingError: the package of that attention implementation is not installed.
        InputError: the class does not have that attention. Or the checkpoint lacks tensors that
            the model needs, or has some that it does not know: transformers would only warn, and
            train what it initialized at random.
    """
    options = base.load_options()
    if attention != "auto":
        options["attn_implementation"] = attention
    try:
        model, info = base.family.load_model(
            base.source, dtype=torch.bfloat16 if bf16 else torch.float32, **options
        )
    except ImportError as error:
        raise LackingError(_attention_problem(attention, error)) from error
    except ValueError as error:
        if attention == "auto" or "attn" not in str(error).lower():
            raise
        raise InputError(_attention_problem(attention, error)) from error
    problems = [
        Problem(f"{kind.replace('_', ' ')}: {key}", where=f"base.model {base.name}")
        for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")
        for key in sorted(map(str, info.get(kind, ())))
    ]
    if problems:
        raise InputError(
            *problems[:20],
            hint=f"{len(problems)} keys of the checkpoint and the model disagree; check that the"
            " checkpoint belongs to this architecture",
        )
    loaded: nn.Module = model
    return loaded


def check_attention(attention: str, device: str) -> None:
    """Refuse an attention implementation that cannot run here, before anything is loaded.

    Raises:
        InputError: it needs a GPU, and the run is on the CPU.
        LackingError: its package is not installed.
    """
    if not attention.startswith("flash_attention"):
        return
    if device == "cpu":
        raise InputError(
            Problem(f"{attention} needs a CUDA device", "train.attention", "write attention: auto")
        )
    from transformers.utils import is_flash_attn_2_available, is_flash_attn_3_available

    there = {
        "flash_attention_2": is_flash_attn_2_available,
        "flash_attention_3": is_flash_attn_3_available,
    }
    if not there[attention]():
        raise LackingError(
            Problem(
                f"the package of {attention} is not installed, or does not fit this GPU",
                where="train.attention",
                fix="install it (pip install flash-attn), or write attention: auto",
            )
        )


def _attention_problem(attention: str, error: Exception) -> Problem:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return Problem(
        f"attention {attention} cannot be used: {reason[:300]}",
        where="train.attention",
        fix="write attention: auto",
    )


def attention_of(model: nn.Module) -> str:
    """The attention implementation that the model runs with."""
    config: Any = model.config
    return str(config._attn_implementation)


def without_kv_cache(model: nn.Module) -> None:
    """Keep training from building a cache of keys and values that nothing reads.

    Models with several towers take the setting from the configuration of their text tower.
    """
    config: Any = model.config
    for each in (config, config.get_text_config()):
        each.use_cache = False
