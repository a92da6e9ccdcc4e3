"""Progress of the capture commands: one line that is redrawn, on a terminal only."""

from __future__ import annotations

import sys
import time

from kolm_cli.cli.output import Output


class Line:
    """A `Progress` that redraws one line of stderr, and is silent when that is no terminal."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._live = sys.stderr.isatty()
        self._name = ""
        self._total: int | None = None
        self._drawn = 0.0

    def stage(self, name: str, total: int | None = None) -> None:
        """A stage begins."""
        self._name, self._total = name, total
        self._draw("")

    def advance(self, done: int, **figures: float | str) -> None:
        """Redraw, at most ten times a second."""
        if self._live and time.monotonic() - self._drawn > 0.1:
            of = f" of {self._total}" if self._total else ""
            rest = "".join(f"  {key} {value}" for key, value in figures.items())
            self._draw(f": {done}{of}{rest}")

    def note(self, text: str) -> None:
        """Write a line of its own."""
        self.clear()
        self._output.note(text)

    def clear(self) -> None:
        """Wipe the line before something else is written."""
        if self._live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def _draw(self, text: str) -> None:
        if self._live:
            sys.stderr.write(f"\r\x1b[K{self._name}{text}")
            sys.stderr.flush()
            self._drawn = time.monotonic()
