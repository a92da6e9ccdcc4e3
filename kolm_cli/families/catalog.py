"""The catalog of families. To add one: a module with `FAMILY`, and a line here."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from typing import Any

from kolm_cli.families.base import Family

MODULES: tuple[str, ...] = (
    "qwen2_5_vl",
    "llava_next",
    "idefics3",
    "qwen2_vl",
    "qwen3_vl",
    "llava_onevision",
    "llava",
    "pixtral",
    "mistral3",
    "smolvlm",
    "internvl",
    "gemma3",
    "paligemma",
    "phi3_v",
    "cambrian",
    "cambrian_phi3",
    "phi4_multimodal",
    "qwen3_5",
    "mllama",
    "text",
    "text_no_system",
    "text_thinking",
)


@cache
def families() -> tuple[Family, ...]:
    """Every family of the catalog, in its order."""
    return tuple(
        importlib.import_module(f"kolm_cli.families.{module}").FAMILY for module in MODULES
    )


def by_name(name: str) -> Family | None:
    """The family of that catalog name."""
    return next((family for family in families() if family.name == name), None)


def by_config(config: Mapping[str, Any]) -> Family | None:
    """The family that claims a parsed `config.json`."""
    return next((family for family in families() if family.claims_config(config)), None)


def by_id(model_id: str) -> Family | None:
    """The family whose id patterns match; the catalog's order decides between two."""
    return next((family for family in families() if family.claims_id(model_id)), None)
