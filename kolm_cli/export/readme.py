"""The README of an export: what it is, where it comes from, how to use it."""

from __future__ import annotations

import textwrap

from kolm_cli.export import card
from kolm_cli.export.base import Source

FENCE = "```"
_AS_IT_IS = (FENCE, "#", "- ")
_WIDTH = 90


def readme(source: Source, library: str, *paragraphs: str) -> str:
    """Markdown with the front matter of a model card.

    Args:
        source: what is exported.
        library: what loads it.
        paragraphs: how to load it; those that are code begin with a fence.
    """
    base = source.base
    where = f"at revision `{base.revision}`" if base.revision else "a local folder"
    parts = [
        f"# {source.name}",
        f"Exported by kolm from the bundle `{source.cid}`. The base is `{base.name}`, {where}.",
        *paragraphs,
        "`kolm-export.json` lists the files with their digests. `kolm verify --export DIR BUNDLE`"
        " makes them again from the bundle and compares.",
    ]
    parts += card.paragraphs(source)
    wrapped = (p if p.startswith(_AS_IT_IS) else textwrap.fill(p, _WIDTH) for p in parts)
    front = f"---\n{card.front_matter(source, library)}---"
    return "\n\n".join([front, *wrapped]) + "\n"


def code(*lines: str) -> str:
    """Lines of Python, fenced."""
    return "\n".join([f"{FENCE}python", *lines, FENCE])


def shell(*lines: str) -> str:
    """Commands, fenced."""
    return "\n".join([f"{FENCE}sh", *lines, FENCE])


def listed(parts: tuple[str, ...]) -> str:
    """Names of parts as a sentence has them."""
    return " and ".join(parts)
