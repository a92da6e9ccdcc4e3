"""A base without its weights: the real class on the meta device, from `config.json` alone."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.families.base import Family


def empty_model(
    config: Mapping[str, Any], family: Family, *, bf16: bool, attention: str = "auto"
) -> nn.Module:
    """The model that `config.json` describes, with tensors that have shapes and no memory.

    Args:
        config: the parsed `config.json`.
        family: the family that claims it.
        bf16: its weights are in bf16, else in fp32.
        attention: the implementation; flash attention is counted as torch's own fused kernel.

    Raises:
        InputError: transformers cannot make a model of this configuration.
    """
    import transformers

    family.register()
    values = copy.deepcopy(dict(config))
    kind = values.pop("model_type")
    auto = getattr(transformers, family.auto_class)
    options: dict[str, Any] = {"dtype": torch.bfloat16 if bf16 else torch.float32}
    if attention == "eager":
        options["attn_implementation"] = "eager"
    try:
        with torch.device("meta"):
            made: nn.Module = auto.from_config(
                transformers.AutoConfig.for_model(kind, **values), **options
            )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            Problem(f"no model can be made of its config.json: {error}"[:300], where="base.model")
        ) from error
    return made
