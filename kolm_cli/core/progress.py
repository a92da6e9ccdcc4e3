"""How the library tells what it is doing: through an object it is given, never by printing."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """Receives what a long piece of work reports. Implemented by the command line."""

    def stage(self, name: str, total: int | None = None, unit: str = "") -> None:
        """A stage begins.

        Args:
            name: what is done, a few words.
            total: how many units of work there are, when that is known.
            unit: what a unit is, in the plural: rows, steps, images, bytes (shown as MB).
        """

    def advance(self, done: int, **figures: float | str) -> None:
        """`done` units of the stage are finished; `figures` are shown beside it."""

    def note(self, text: str) -> None:
        """Something the user should read: a warning that names its row, a decision taken."""


class Silent:
    """Shows nothing."""

    def stage(self, name: str, total: int | None = None, unit: str = "") -> None:
        """Ignore a stage."""

    def advance(self, done: int, **figures: float | str) -> None:
        """Ignore progress."""

    def note(self, text: str) -> None:
        """Ignore a note."""
