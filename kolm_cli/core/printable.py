"""Text from elsewhere, made safe to show: no character of it can steer a terminal.

Control characters (C0, C1), bidirectional and other invisible formatting, lone surrogates and
line separators are spelt out. Joiners stay, since scripts and emoji need them, and so do all
spaces that take room.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

_PLAIN_LINES = re.compile(r"[^\x20-\x7e\n\t]")
_PLAIN_LINE = re.compile(r"[^\x20-\x7e]")
_JOINERS = "\u200c\u200d"


def printable(text: str) -> str:
    r"""`text` with what could steer a terminal spelt out (`\x1b`); its lines and tabs stay."""
    return _PLAIN_LINES.sub(lambda found: _spelt(found[0]), text)


def one_line(text: str) -> str:
    """As `printable`, and line breaks and tabs are spelt out too: it cannot forge a line."""
    return _PLAIN_LINE.sub(lambda found: _spelt(found[0]), text)


def json_text(value: Any, *, indent: int | None = None) -> str:
    r"""`value` as JSON in which only harmless characters stand as they are; the rest is `\uXXXX`.

    Raises:
        TypeError: `value` is not JSON.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return _PLAIN_LINES.sub(
        lambda found: found[0] if _is_harmless(found[0]) else json.dumps(found[0])[1:-1], text
    )


def _spelt(character: str) -> str:
    return character if _is_harmless(character) else ascii(character)[1:-1]


def _is_harmless(character: str) -> bool:
    return (
        character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs"
    )
