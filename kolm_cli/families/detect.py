"""Which family a base belongs to: the id chooses, the config's `model_type` confirms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.names import likely
from kolm_cli.families import catalog, fallback
from kolm_cli.families.base import Family
from kolm_cli.families.support import Unsupported


def detect(
    model_id: str,
    config: Mapping[str, Any],
    *,
    local: bool = False,
    trust_remote_code: bool = False,
) -> Family:
    """The family of a base.

    Args:
        model_id: hub id, or the name of a local folder.
        config: the parsed `config.json`.
        local: `model_id` is a folder's name, which may be anything: the config alone decides.
        trust_remote_code: whether the spec allows code that comes with the checkpoint.

    Raises:
        InputError: nothing claims it, id and config disagree, the family is unsupported, or
            the checkpoint brings code and the spec does not allow it.
    """
    model_type = config.get("model_type")
    if not isinstance(model_type, str):
        raise InputError(
            Problem(
                "config.json has no model_type",
                model_id,
                "give a checkpoint as transformers saves it",
            )
        )
    claimed = catalog.by_config(config)
    if "auto_map" in config:
        _check_code(model_id, claimed, trust_remote_code)
    chosen = None if local else catalog.by_id(model_id)
    if chosen is not None and chosen.claims_config(config):
        found = chosen
    else:
        if chosen is not None:
            raise _mismatch(model_id, chosen, claimed, model_type)
        found = claimed or _unclaimed(model_id, config, model_type)
    _check_support(model_id, found)
    return found


def check_id(model_id: str) -> None:
    """Refuse a hub id whose name already says an unsupported family, before anything is fetched.

    Raises:
        InputError: says why the family is unsupported.
    """
    named = catalog.by_id(model_id)
    if named is not None:
        _check_support(model_id, named)


def _check_support(model_id: str, family: Family) -> None:
    if isinstance(family.support, Unsupported):
        raise InputError(
            Problem(f"{family.name} is unsupported: {family.support.reason}", where=model_id)
        )


def _check_code(model_id: str, claimed: Family | None, trust_remote_code: bool) -> None:
    """Refuse code that comes with a checkpoint, unless kolm has its own or the spec allows it."""
    if claimed is not None and claimed.native:
        if trust_remote_code:
            raise InputError(
                Problem(
                    f"kolm has its own code for {claimed.name}: the checkpoint's is never run",
                    where=model_id,
                    fix="remove trust_remote_code from base:",
                )
            )
    elif not trust_remote_code:
        raise InputError(
            Problem(
                "the checkpoint brings its own Python code (auto_map in config.json)",
                where=model_id,
                fix="use a checkpoint of a class that transformers or kolm has, or write"
                " trust_remote_code: true under base: after reading that code",
            )
        )


def _mismatch(model_id: str, chosen: Family, claimed: Family | None, model_type: str) -> InputError:
    whose = f"which is {claimed.name}" if claimed else "which no family claims"
    return InputError(
        Problem(
            f"the id says {chosen.name}, but its config says model_type {model_type!r}, {whose}",
            where=model_id,
            fix="check that the checkpoint is the one you mean, or give it as a local folder",
        )
    )


def _unclaimed(model_id: str, config: Mapping[str, Any], model_type: str) -> Family:
    """The generic family, for what transformers knows and no family here does.

    Code that comes with a checkpoint names its parts as it likes: nothing is guessed about it.
    """
    guessed = None if "auto_map" in config else fallback.guess(config)
    if guessed is not None:
        return guessed
    known = sorted(t for family in catalog.families() for t in family.model_types)
    near = likely(model_type, known)
    raise InputError(
        Problem(
            f"no family claims model_type {model_type!r}"
            + (f" (the nearest known is {near!r})" if near else ""),
            where=model_id,
            fix="`kolm families` lists what is supported",
        )
    )
