"""Published models that can be planned for without their files: see `published/`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True)
class Published:
    """What is known of a model on the hub.

    Attributes:
        model: its hub id.
        sources: where the numbers come from.
        config: its `config.json`, as far as it decides counts.
        images: the settings of its image processor.
        processor: the settings of its processor.
        variant: the kind of stand-in for its template and tokenizer.
        parameters: how many the hub lists; 0 when that is not known.
    """

    model: str
    sources: tuple[str, ...]
    config: Mapping[str, Any]
    images: Mapping[str, Any]
    processor: Mapping[str, Any]
    variant: str = ""
    parameters: int = 0


@cache
def published_models() -> dict[str, Published]:
    """Hub id to what is known."""
    found = {}
    for path in resources.files(__package__).joinpath("published").iterdir():
        if path.name.endswith(".json"):
            values = json.loads(path.read_text())
            values["sources"] = tuple(values["sources"])
            found[values["model"]] = Published(**values)
    return dict(sorted(found.items()))
