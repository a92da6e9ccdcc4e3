"""An architecture that no family claims: its parts are guessed from names, and it says so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.families.base import Family, PartName, Takes
from kolm_cli.families.support import Experimental
from kolm_cli.families.text import TextOnly

VISION_WORDS = ("vision", "visual", "image_encoder")
_NOTE = (
    "no family claims model_type {kind!r}: what has {words} in its name is frozen as the vision"
    " tower, the decoder that transformers names is the language tower, and the rest between them"
    " is the projector; check modules.json"
)


@dataclass(frozen=True)
class Generic(Family):
    """Parts guessed from the names of the model's modules.

    Attributes:
        config: `config.json`, as JSON text.
    """

    config: str = ""

    def prefixes(self, part: PartName) -> tuple[str, ...]:
        """The guessed prefixes: the architecture is built without weights, once."""
        return guess_parts(self.config, self.auto_class)[part]


@dataclass(frozen=True)
class GenericText(TextOnly):
    """A text-only model whose decoder is where transformers says it is.

    Attributes:
        config: `config.json`, as JSON text.
    """

    config: str = ""

    def prefixes(self, part: PartName) -> tuple[str, ...]:
        """The guessed prefixes."""
        return guess_parts(self.config, self.auto_class)[part]


def guess(config: Mapping[str, Any]) -> Family | None:
    """The generic family of a `config.json`; None when transformers does not know its type."""
    from transformers.models.auto import modeling_auto

    kind = config["model_type"]
    text = json.dumps(config, sort_keys=True)
    note = _NOTE.format(kind=kind, words=" or ".join(VISION_WORDS))
    common: dict[str, Any] = {
        "name": "generic",
        "model_types": (kind,),
        "id_patterns": (),
        "written_for": (),
        "papers": (),
        "language": (),
        "support": Experimental(note),
        "config": text,
        "sketches": False,
    }
    if kind in modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        return Generic(**common)
    if kind in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return GenericText(**common, takes=Takes(images=False, several_images=False))
    return None


@cache
def guess_parts(config: str, auto_class: str) -> dict[PartName, tuple[str, ...]]:
    """The prefixes of each part, from the architecture's names alone.

    Raises:
        InputError: the decoder, or anything between it and the vision tower, is not to be found.
    """
    import torch
    import transformers

    values = json.loads(config)
    kind = values.pop("model_type")
    with torch.device("meta"):
        made = transformers.AutoConfig.for_model(kind, **values)
        model = getattr(transformers, auto_class).from_config(made)
    decoder = model.get_decoder()
    language = [name for name, module in model.named_modules() if name and module is decoder]
    vision = _outermost(
        ".".join(pieces[: depth + 1])
        for pieces in (name.split(".") for name, _ in model.named_modules())
        for depth, piece in enumerate(pieces)
        if any(word in piece for word in VISION_WORDS)
    )
    claimed = (*language, *vision, "lm_head")
    rest = tuple(
        name
        for name, _ in model.named_parameters()
        if not any(name == prefix or name.startswith(f"{prefix}.") for prefix in claimed)
    )
    if not language or (vision and not rest):
        missing = "projector" if language else "language tower"
        raise InputError(
            Problem(
                f"the {missing} of model_type {kind!r} cannot be told from its names",
                where="base.model",
                fix="use a family of `kolm families`, or add one (CONTRIBUTING.md)",
            )
        )
    return {
        "vision": vision,
        "projector": rest if vision else (),
        "language": tuple(language),
        "head": ("lm_head",),
        "other": () if vision else rest,
    }


def _outermost(names: Any) -> tuple[str, ...]:
    """Dotted names without those inside another."""
    found = sorted(set(names))
    return tuple(name for name in found if not any(name.startswith(f"{other}.") for other in found))
