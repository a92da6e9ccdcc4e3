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


def likely(name: str, known: Sequence[str], *, nearly: bool = False) -> str | None:
    """The one of `known` that a person who wrote `name` most likely meant.

    Args:
        name: what was written.
        known: what could have been meant, the likelier first.
        nearly: only what is nearly the same, for a name that may as well be somebody's own.
    """
    keys = {_letters(one): one for one in reversed(known)}
    wanted = _letters(name)
    found = difflib.get_close_matches(wanted, list(keys)[::-1], 1, cutoff=0.75 if nearly else 0.6)
    if found or nearly or len(wanted) < 3:
        return keys[found[0]] if found else None
    # A name cut short or drawn out ("epochs", "lora_rank") is not close letter by letter.
    return next(
        (one for one in known if wanted in _letters(one) or wanted.startswith(_letters(one))), None
    )


def likely_fix(
    name: str, known: Sequence[str], otherwise: str = "", *, nearly: bool = False
) -> str:
    """What to write in place of a name that is not known.

    Args:
        name: what was written.
        known: what could have been meant.
        otherwise: the fix when none is near; the whole list when left out.
        nearly: as for `likely`.
    """
    if meant := likely(name, known, nearly=nearly):
        return f"did you mean {meant}?"
    return otherwise or f"write one of {', '.join(known)}"


def _letters(name: str) -> str:
    return name.lower().strip().replace("-", "_")
