"""Finding and writing the tiny base of a family."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.families.base import Family
from kolm_cli.families.tiny import towers
from kolm_cli.families.tiny.pieces import Maker


def is_defined(family: Family) -> bool:
    """Whether there is a tiny base of this family."""
    return importlib.util.find_spec(_module(family)) is not None


def _module(family: Family) -> str:
    return f"{__package__}.{family.name}"


def makers(family: Family) -> Mapping[str, Maker]:
    """The kinds of tiny base that differ in template or tower, by name; the first is the default.

    Raises:
        InputError: no tiny base is defined for this family.
    """
    if not is_defined(family):
        what, fix = (
            f"no tiny base is defined for {family.name}",
            "see `kolm tiny-base --list`",
        )
        raise InputError(Problem(what, "--family", fix))
    variants: Mapping[str, Maker] = importlib.import_module(_module(family)).VARIANTS
    return variants


def write_tiny(
    family: Family, folder: Path, *, seed: int, width: int, layers: int, variant: str = ""
) -> None:
    """Write a random, untrained base of `family` that the stock classes load.

    Args:
        family: a family of the catalog.
        folder: an existing folder.
        seed: of the random weights.
        width: of the language tower, a multiple of 32.
        layers: of the language tower.
        variant: one of `makers`; the first by default.

    Raises:
        InputError: no tiny base is defined for this family.
        LackingError: a package that its processor needs is missing.
    """
    known = makers(family)
    pieces = known[variant or next(iter(known))](width, layers)
    towers.write(folder, pieces.model_class, pieces.config, pieces.processor, seed=seed)
