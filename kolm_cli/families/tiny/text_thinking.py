"""Text-only models that can think before they answer: Qwen3."""

from __future__ import annotations

from functools import partial

from kolm_cli.families.tiny import templates
from kolm_cli.families.tiny.pieces import Maker
from kolm_cli.families.tiny.text import make

_MARKS = ("<|im_start|>", "<think>", "</think>")

VARIANTS: dict[str, Maker] = {
    "qwen3": partial(make, "qwen3", templates.QWEN3, None, "<|im_end|>", "<pad>", _MARKS),
}
