"""SmolVLM2: Idefics3's architecture with its own class, and a processor that needs num2words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kolm_cli.core.errors import LackingError, Problem
from kolm_cli.families import image_limits, shown
from kolm_cli.families.idefics3 import SMOLVLM_PAPER, Idefics3


@dataclass(frozen=True)
class SmolVLM(Idefics3):
    """SmolVLM2 (arXiv:2504.05299)."""

    def load_processor(self, source: str, **options: Any) -> Any:
        """The processor.

        Raises:
            LackingError: the package `num2words` is missing.
        """
        need_num2words()
        return super().load_processor(source, **options)


def need_num2words() -> None:
    """Refuse to go on where its processor could not be loaded.

    Raises:
        LackingError: the package `num2words` is missing.
    """
    import importlib.util

    if importlib.util.find_spec("num2words") is None:
        raise LackingError(
            Problem(
                "SmolVLM's processor needs the package num2words",
                where="base.model",
                fix="run `pip install num2words`",
            )
        )


FAMILY = SmolVLM(
    name="smolvlm",
    model_types=("smolvlm",),
    id_patterns=("*smolvlm2*",),
    written_for=(
        "HuggingFaceTB/SmolVLM2-2.2B-Instruct",
        "HuggingFaceTB/SmolVLM2-500M-Video-Instruct",
        "HuggingFaceTB/SmolVLM2-256M-Video-Instruct",
    ),
    papers=(SMOLVLM_PAPER,),
    image_sizing=image_limits.LONGEST_EDGE_OF_TILES,
    shown_size=shown.split_tiles,
)
