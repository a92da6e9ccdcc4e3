"""The `[[…]]` blocks of a TOML text, replaced one by one so that all else stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def replace_blocks(
    text: str, name: str, old: Sequence[T], new: Sequence[T | None], write: Callable[[T], str]
) -> str:
    """Rewrite the blocks of an array of tables that change.

    Args:
        text: the TOML.
        name: the array's name.
        old: what its blocks say now, in order.
        new: what each is to say; None removes it.
        write: a block's text.

    Returns:
        The new text; `text` as it is when the array is not written in blocks.
    """
    lines = text.splitlines(keepends=True)
    spans = _spans(lines, f"[[{name}]]")
    if len(spans) != len(old):
        return text
    for (start, stop), before, after in reversed(list(zip(spans, old, new, strict=True))):
        if after != before:
            lines[start:stop] = [] if after is None else [write(after)]
    return "".join(lines)


def _spans(lines: list[str], header: str) -> list[tuple[int, int]]:
    """Where each block with this header starts and stops; what comments follow it stay outside."""
    spans: list[tuple[int, int]] = []
    for start, line in enumerate(lines):
        if line.split("#")[0].strip() != header:
            continue
        stop = start + 1
        for index in range(start + 1, len(lines)):
            text = lines[index].strip()
            if text.startswith("["):
                break
            if text and not text.startswith("#"):
                stop = index + 1
        spans.append((start, stop))
    return spans
