"""LoRA by full path, on the language tower and where else it is asked for (arXiv:2106.09685)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import nn

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.globs import matches_any
from kolm_cli.families.base import Family, PartName
from kolm_cli.trainer.partition import base_name, part_of

Targets = Literal["default", "all-linear"] | list[str] | tuple[str, ...]


def language_linears(model: nn.Module, family: Family) -> list[str]:
    """Dotted names of every linear layer inside the language tower."""
    return _linears(model, family, "language")


def _linears(model: nn.Module, family: Family, part: PartName) -> list[str]:
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and part_of(family, f"{name}.weight") == part
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


def part_layers(model: nn.Module, family: Family, part: PartName) -> list[str]:
    """The layers of the projector or the tower that take LoRA.

    Of the projector those that the family names; of the tower every linear layer whose output
    something reads.
    """
    linears = _linears(model, family, part)
    if part == "projector":
        ends = tuple(f".{leaf}" for leaf in family.projector_lora)
        return [name for name in linears if f".{name}".endswith(ends)] if ends else []
    idle = family.never_used(model)
    return [name for name in linears if not matches_any(f"{name}.weight", idle)]


def target_expression(family: Family, leaves: tuple[str, ...]) -> str:
    """A regular expression that matches those leaves inside the language tower, whole path.

    PEFT matches a string with `re.fullmatch`; a list would match by suffix, and so also reach
    layers of the same name inside the vision tower.
    """
    return _expression(family.prefixes("language"), leaves)


def _expression(towers: Iterable[str], leaves: Iterable[str]) -> str:
    inside, ends = ("|".join(map(re.escape, sorted(set(names)))) for names in (towers, leaves))
    return rf"(?:{inside})\.(?:.*\.)?(?:{ends})"


def _part_expression(layers: Sequence[str]) -> str:
    """The same of a part's layers.

    A tower's are named by their blocks, one by one, since some of the last ones may take no part in
    an answer; where one is in no block, all are named in full.
    """
    blocks = [_block_of(name) for name in layers]
    if not all(blocks):
        first = layers[0].partition(".")[0]
        return _expression([first], [name.removeprefix(f"{first}.") for name in layers])
    inside = zip(layers, blocks, strict=True)
    return _expression(blocks, [name.removeprefix(f"{block}.") for name, block in inside])


def _block_of(name: str) -> str:
    """A layer's path up to its last number; empty where it is in no numbered block."""
    pieces = name.split(".")[:-1]
    while pieces and not pieces[-1].isdigit():
        pieces.pop()
    return ".".join(pieces)


def attach(
    model: nn.Module,
    family: Family,
    *,
    targets: Targets,
    r: int,
    alpha: int,
    dropout: float,
    more: Mapping[Literal["projector", "vision"], int] | None = None,
) -> PeftModel:
    """Wrap `model` with LoRA, and check that adapters are where they should be and nowhere else.

    Args:
        model: the base.
        family: its family.
        targets: the layers of the language tower.
        r: their rank.
        alpha: LoRA's alpha for that rank. Every other rank has the same ratio of both, since
            servers know one ratio only.
        dropout: LoRA's dropout.
        more: other parts that take LoRA, with their ranks.

    Raises:
        InputError: a target matches nothing, or an adapter landed elsewhere than asked for.
    """
    leaves = leaf_names(model, family, targets)
    expected = {
        name for name in language_linears(model, family) if name.rpartition(".")[2] in leaves
    }
    expressions = [target_expression(family, leaves)]
    ranks: dict[str, int] = {}
    for part, rank in (more or {}).items():
        layers = part_layers(model, family, part)
        if not layers:
            raise InputError(no_layers(family, part))
        expected |= set(layers)
        expressions.append(_part_expression(layers))
        ranks |= dict.fromkeys(layers, rank) if rank != r else {}
    wrapped = get_peft_model(
        model,
        LoraConfig(
            r=r,
            lora_alpha=alpha,
            lora_dropout=dropout,
            target_modules="|".join(expressions),
            rank_pattern=ranks,
            alpha_pattern={name: alpha * rank // r for name, rank in ranks.items()},
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


def no_layers(family: Family, part: PartName) -> Problem:
    """What to say of a part that cannot take LoRA."""
    if not family.prefixes(part):
        return Problem(f"{family.name} has no {part}", f"train.{part}", "remove it")
    return Problem(
        f"no layer of {family.name}'s {part} is known to take LoRA",
        where=f"train.{part}",
        fix="write projector: train" if part == "projector" else "remove it",
    )


def ranks_of(config: Mapping[str, Any], layer: str) -> int:
    """The rank of a layer by an adapter's configuration."""
    rank: int = config.get("rank_pattern", {}).get(layer, config["r"])
    return rank
