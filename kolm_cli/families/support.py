"""How well a family is supported; a closed set of three answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never


@dataclass(frozen=True)
class Supported:
    """Every property in docs/reference/families.md is shown by the test suite."""


@dataclass(frozen=True)
class Experimental:
    """Works as far as it was tried; `note` says what was not shown."""

    note: str


@dataclass(frozen=True)
class Unsupported:
    """Refused, for the stated reason."""

    reason: str


Support = Supported | Experimental | Unsupported


def describe(support: Support) -> tuple[str, str]:
    """The level's name and its note, for tables."""
    match support:
        case Supported():
            return "supported", ""
        case Experimental(note):
            return "experimental", note
        case Unsupported(reason):
            return "unsupported", reason
        case _:
            assert_never(support)
