r"""`<image>` in a text, where an image of the row goes; `\<image>` is the text itself.

The markers of LLaVA, LLaMA-Factory and ms-swift. They count in the plain texts of a user's
messages; a list of parts says with parts where its images are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kolm_cli.records.conversation import Image, Part, Text, tidy

MARKER = "<image>"
_MARKS = re.compile(r"(\\*)<image>")


def count(text: str) -> int:
    """How many images the text asks for."""
    return sum(not match[1] for match in _MARKS.finditer(text))


def literal(text: str) -> str:
    """The text as it must be written where markers count: one backslash more before each."""
    return _MARKS.sub(r"\\\g<0>", text)


def place(text: str, images: Iterator[str], *, own_newline: bool = False) -> list[Part]:
    """The text with the next of `images` at each marker, and without the escapes.

    Args:
        text: the text.
        images: SHA-256 of the images; a marker for which there is none left is dropped.
        own_newline: one newline after a marker belongs to it, as LLaVA writes it.
    """
    parts: list[Part] = []
    at = 0
    said = ""
    for match in _MARKS.finditer(text):
        said += text[at : match.start()]
        at = match.end()
        if match[1]:
            said += match[1][1:] + MARKER
            continue
        parts.append(Text(said))
        said = ""
        if (sha256 := next(images, None)) is not None:
            parts.append(Image(sha256))
        if own_newline and text.startswith("\n", at):
            at += 1
    return [*parts, Text(said + text[at:])]


def asked(text: str, images: Sequence[str]) -> tuple[Part, ...]:
    """A question with its images where the markers are, or before it when it has none."""
    waiting = iter(images)
    first = [] if count(text) else [Image(sha256) for sha256 in waiting]
    return tidy([*first, *place(text, waiting)])


def mismatch(markers: int, images: int) -> str:
    """What is wrong with so many markers for so many images; "" when nothing is."""
    return f"{markers} {MARKER} markers for {images} images" if markers not in (0, images) else ""


FIX = f"write as many {MARKER} as images, or none to show them first; \\{MARKER} is the text itself"
