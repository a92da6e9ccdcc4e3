"""The partition of a model's parameters into parts: each belongs to exactly one, or it fails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.families.base import PARTS, Family, PartName

_PEFT_PREFIX = "base_model.model."


def base_name(name: str) -> str:
    """A runtime name without what PEFT adds: its prefix, `base_layer`, the adapter's name."""
    name = name.removeprefix(_PEFT_PREFIX).replace(".base_layer.", ".")
    return name.replace(".default.", ".")


def _matches(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


def part_of(family: Family, name: str) -> PartName | None:
    """The part whose longest prefix matches the (base) name, or None when none does.

    Raises:
        ValueError: two parts claim the name with prefixes of equal length.
    """
    claims = [
        (len(prefix), part)
        for part in PARTS
        for prefix in family.prefixes(part)
        if _matches(name, prefix)
    ]
    if not claims:
        return None
    longest = max(length for length, _ in claims)
    winners = {part for length, part in claims if length == longest}
    if len(winners) > 1:
        raise ValueError(f"{name} is claimed by {' and '.join(sorted(winners))}")
    return winners.pop()


@dataclass(frozen=True)
class Partition:
    """Every parameter's part.

    Attributes:
        parts: base name to part, in the model's order; tied tensors occur once.
    """

    parts: dict[str, PartName]

    @classmethod
    def of(cls, family: Family, model: nn.Module) -> Partition:
        """Partition `model`, wrapped by PEFT or not.

        Raises:
            InputError: names every parameter that no part, or more than one, claims.
        """
        parts: dict[str, PartName] = {}
        problems: list[Problem] = []
        for runtime_name, _ in model.named_parameters():
            name = base_name(runtime_name)
            try:
                part = part_of(family, name)
            except ValueError as error:
                problems.append(Problem(str(error)))
                continue
            if part is None:
                problems.append(
                    Problem(
                        f"the parameter {name} belongs to no part of {family.name}",
                        fix="the family's part prefixes must cover every parameter",
                    )
                )
            else:
                parts[name] = part
        if problems:
            raise InputError(*problems)
        return cls(parts)

    def names(self, *wanted: PartName) -> list[str]:
        """The base names of the given parts, in the model's order."""
        return [name for name, part in self.parts.items() if part in wanted]


def parameters_of(
    model: nn.Module, partition: Partition, *wanted: PartName
) -> Iterator[tuple[str, nn.Parameter]]:
    """Base names and parameters of the given parts."""
    for runtime_name, parameter in model.named_parameters():
        name = base_name(runtime_name)
        if partition.parts[name] in wanted:
            yield name, parameter


def top_modules(model: nn.Module, family: Family, part: PartName) -> list[tuple[str, nn.Module]]:
    """The outermost modules whose parameters all belong to `part` and that are ever called.

    Containers (ModuleList, ModuleDict) are entered, since their `forward` never runs.
    """
    found: list[tuple[str, nn.Module]] = []
    # The parts inside of each module, from one walk over all parameters.
    inside: dict[str, set[PartName | None]] = defaultdict(set)
    for name, _ in model.named_parameters(remove_duplicate=False):
        its = part_of(family, base_name(name))
        while name:
            name = name.rpartition(".")[0]
            inside[name].add(its)

    def visit(name: str, module: nn.Module) -> None:
        if part not in inside[name]:
            return
        container = isinstance(module, nn.ModuleList | nn.ModuleDict)
        if inside[name] == {part} and not container:
            found.append((base_name(name), module))
            return
        for child_name, child in module.named_children():
            visit(f"{name}.{child_name}" if name else child_name, child)

    visit("", model)
    return found
