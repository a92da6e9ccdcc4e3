"""A base without its weights: the real class on the meta device, from `config.json` alone."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.families.base import Family

# Of what models are made of one after the other; the largest published ones have some hundred.
MOST = 4096
_COUNTED = re.compile(r"(layers?|depths?|blocks?|experts?)$")


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
    _check_counts(config)
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
    except Exception as error:  # transformers raises anything on values that do not fit
        said = " ".join(f"{error}".split()) or type(error).__name__
        raise InputError(
            Problem(f"no model can be made of its config.json: {said}"[:300], where="base.model")
        ) from error
    return made


def _check_counts(config: Mapping[str, Any]) -> None:
    """Refuse a model whose modules would not end: each takes memory, even without its weights.

    Raises:
        InputError: it has more layers, blocks or experts than `MOST`.
    """
    parts: list[Any] = [config]
    while parts:
        part = parts.pop()
        if not isinstance(part, dict):
            continue
        for name, value in part.items():
            counts = value if isinstance(value, list) else [value]
            if _COUNTED.search(name) and any(isinstance(n, int) and n > MOST for n in counts):
                what = f"its config.json has a {name} of more than {MOST}"
                raise InputError(Problem(what, where="base.model"))
            parts.append(value)
