"""The plain rule for an architecture that no family claims, and it says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kolm_cli.families.base import Family
from kolm_cli.families.support import Experimental

if TYPE_CHECKING:
    from torch import nn

VISION_WORDS = ("vision", "visual", "image_encoder")


@dataclass(frozen=True)
class Generic(Family):
    """Parts guessed from names; only the loaded model can tell them."""


def from_model(model_type: str, model: nn.Module) -> Family:
    """Guess the parts of an unknown model from its module names.

    The language tower is what `get_decoder` gives; whatever has `vision`, `visual` or
    `image_encoder` in its name is vision; a projector inside the tower is not recognised.
    """
    get_decoder: Any = getattr(model, "get_decoder", None)
    decoder = get_decoder() if get_decoder else None
    names = {name for name, module in model.named_modules() if module is decoder}
    vision = sorted(
        {
            ".".join(parts[: i + 1])
            for parts in (name.split(".") for name, _ in model.named_modules() if name)
            for i, part in enumerate(parts)
            if any(word in part for word in VISION_WORDS)
        },
        key=len,
    )
    claimed = [*names, *vision, "lm_head"]
    rest = sorted(
        {
            name.rpartition(".")[0] or name
            for name, _ in model.named_parameters()
            if not any(name == prefix or name.startswith(prefix + ".") for prefix in claimed)
        }
    )
    return Generic(
        name="generic",
        model_types=(model_type,),
        id_patterns=(),
        written_for=(),
        papers=(),
        language=tuple(sorted(names)),
        vision=tuple(vision),
        projector=tuple(rest),
        support=Experimental(
            f"no family claims model_type {model_type!r}: parts were guessed from names "
            f"({', '.join(VISION_WORDS)} is vision)"
        ),
    )
