"""LoRA on the language tower only, by full path (LoRA: arXiv:2106.09685)."""

from __future__ import annotations

import re
from typing import Literal

from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import nn

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.families.base import Family
from kolm_cli.trainer.partition import base_name, part_of

Targets = Literal["default", "all-linear"] | list[str] | tuple[str, ...]


def language_linears(model: nn.Module, family: Family) -> list[str]:
    """Dotted names of every linear layer inside the language tower."""
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and part_of(family, f"{name}.weight") == "language"
    ]


def leaf_names(model: nn.Module, family: Family, targets: Targets) -> tuple[str, ...]:
    """The leaf names (`q_proj`, …) that `targets` means for this model, sorted.

    Raises:
        InputError: a target matches no linear layer of the language tower.
    """
    there = sorted({name.rpartition(".")[2] for name in language_linears(model, family)})
    if targets == "all-linear":
        return tuple(there)
    wanted = family.lora_default if targets == "default" else tuple(targets)
    missing = [leaf for leaf in wanted if leaf not in there]
    if missing:
        raise InputError(
            Problem(
                f"no linear layer of the language tower is called {', '.join(map(repr, missing))}",
                where="train.lora_targets",
                fix=f"it has: {', '.join(there)}",
            )
        )
    return tuple(sorted(set(wanted)))


def target_expression(family: Family, leaves: tuple[str, ...]) -> str:
    """A regular expression that matches those leaves inside the language tower, whole path.

    PEFT matches a string with `re.fullmatch`; a list would match by suffix, and so also reach
    layers of the same name inside the vision tower.
    """
    towers = "|".join(re.escape(prefix) for prefix in sorted(family.prefixes("language")))
    return rf"(?:{towers})\.(?:.*\.)?(?:{'|'.join(map(re.escape, leaves))})"


def attach(
    model: nn.Module, family: Family, *, targets: Targets, r: int, alpha: int, dropout: float
) -> PeftModel:
    """Wrap `model` with LoRA, and check that adapters are where they should be and nowhere else.

    Raises:
        InputError: a target matches nothing, or an adapter landed outside of the language tower.
    """
    leaves = leaf_names(model, family, targets)
    expected = {
        name for name in language_linears(model, family) if name.rpartition(".")[2] in leaves
    }
    wrapped = get_peft_model(
        model,
        LoraConfig(
            r=r,
            lora_alpha=alpha,
            lora_dropout=dropout,
            target_modules=target_expression(family, leaves),
            bias="none",
            task_type="CAUSAL_LM",
        ),
    )
    found = {base_name(n) for n, m in wrapped.named_modules() if isinstance(m, LoraLayer)}
    if found != expected:
        raise InputError(
            Problem(
                "LoRA was attached to other layers than asked for: "
                f"missing {sorted(expected - found)[:5]}, unexpected {sorted(found - expected)[:5]}"
            )
        )
    return wrapped
