"""What every display of progress has in common; by itself it shows notes only."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from kolm_cli.cli.figures import Figures, count
from kolm_cli.cli.output import Output
from kolm_cli.cli.pace import Pace


class Display:
    """A `core.progress.Progress` that is closed when its `with` block ends.

    This one shows notes and nothing else: for `--progress none`.
    """

    def __init__(self, output: Output, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._output = output
        self._clock = clock
        self._name, self._unit = "", ""
        self._total: int | None = None
        self._begun = clock()
        self._pace = Pace(self._begun)

    def stage(self, name: str, total: int | None = None, unit: str = "") -> None:
        """A stage begins; the one before it is over."""
        self._name, self._total, self._unit = name, total, unit
        self._begun = self._clock()
        self._pace = Pace(self._begun)

    def advance(self, done: int, **figures: float | str) -> None:
        """`done` units of the stage are finished."""

    def note(self, text: str) -> None:
        """Something to read: never left out, since it names what the user may have to act on."""
        self._output.note(text)

    def close(self) -> None:
        """Leave the terminal as it was found. Closing twice does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _with_time_left(self, done: int, figures: Figures) -> Figures:
        """The figures, and the time left by the stage's pace of late unless they say it."""
        self._pace.mark(self._clock(), done)
        left = None if self._total is None else self._pace.seconds_left(self._total)
        if left is None or "eta_seconds" in figures:
            return figures
        return figures | {"eta_seconds": left}

    def _count(self, done: float) -> str:
        return count(done, self._total, self._unit)
