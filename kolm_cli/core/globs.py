"""Shell patterns over names: hub ids, parameters."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence


def matches_any(name: str, patterns: Sequence[str]) -> bool:
    """Whether one of the shell patterns matches the whole name; case counts."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
