"""The catalog of export formats. To add one: a module in `formats/`, and a line here."""

from __future__ import annotations

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.names import likely_fix
from kolm_cli.export.base import Format
from kolm_cli.export.formats import gguf, gguf_lora, merged, ollama, peft, vllm

FORMATS: tuple[Format, ...] = (
    merged.FORMAT,
    peft.FORMAT,
    vllm.FORMAT,
    gguf.FORMAT,
    ollama.FORMAT,
    gguf_lora.FORMAT,
)


def names() -> tuple[str, ...]:
    """What `--to` may be."""
    return tuple(known.name for known in FORMATS)


def get_format(name: str) -> Format:
    """The format of this name.

    Raises:
        InputError: there is none; names the likely one.
    """
    for known in FORMATS:
        if known.name == name:
            return known
    fix = likely_fix(name, names())
    raise InputError(Problem(f"there is no export format {name!r:.80}", "--to", fix))
