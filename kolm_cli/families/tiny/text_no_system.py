"""Text-only models whose templates take no system prompt: Mistral, and Gemma 1 and 2."""

from __future__ import annotations

from functools import partial

from kolm_cli.families.tiny import templates
from kolm_cli.families.tiny.pieces import Maker
from kolm_cli.families.tiny.text import GEMMA_MARKS, make

_MISTRAL_MARKS = ("[INST]", "[/INST]")

VARIANTS: dict[str, Maker] = {
    "mistral": partial(make, "mistral", templates.MISTRAL, "<s>", "</s>", "<pad>", _MISTRAL_MARKS),
    "gemma2": partial(make, "gemma2", templates.GEMMA, "<bos>", "<eos>", "<pad>", GEMMA_MARKS),
}
