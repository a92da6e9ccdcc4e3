"""The names that people give: to a spec, a bundle, a capture namespace."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

RULE = "at most 64 of a-z 0-9 . _ - with a letter or digit at both ends"
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?", re.ASCII)


def is_name(text: str) -> bool:
    """Whether `text` may name a spec, a bundle or a capture namespace.

    At most 64 of `a-z 0-9 . _ -`, a letter or digit at both ends, no two dots in a row: safe as
    a file name everywhere and as a repository name of an OCI registry.
    """
    return _NAME.fullmatch(text) is not None and ".." not in text


def likely_fix(name: str, known: Sequence[str]) -> str:
    """What to write in place of a name that is not known: the nearest, or else all of them."""
    close = difflib.get_close_matches(name.lower(), known, n=1)
    return f"did you mean {close[0]}?" if close else f"write one of {', '.join(known)}"
