"""How progress looks: bars on a terminal, a line every few seconds elsewhere, or JSON lines."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer

from kolm_cli.cli.display import Display
from kolm_cli.cli.figures import describe
from kolm_cli.cli.output import Output
from kolm_cli.core.errors import InputError, Problem

# Seconds between two lines of one stage: a log stays readable, a watcher sees life.
PLAIN_INTERVAL = 5.0
JSON_INTERVAL = 1.0


class ProgressKind(StrEnum):
    """What `--progress` takes."""

    LIVE = "live"
    PLAIN = "plain"
    JSON = "json"
    NONE = "none"


ProgressOption = Annotated[
    ProgressKind | None,
    typer.Option(
        "--progress",
        help="On stderr: bars, lines, JSON lines, or only notes. Default: as fits.",
        show_default=False,
    ),
]


class PlainDisplay(Display):
    """A line when a stage begins and ends, and one every few seconds in between."""

    def __init__(self, output: Output, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(output, clock=clock)
        self._told = 0.0

    def stage(self, name: str, total: int | None = None, unit: str = "") -> None:
        """A line that names the stage."""
        super().stage(name, total, unit)
        self._told = self._begun
        self._output.note(f"{name} ..." if total is None else f"{name}: {self._count(0)}")

    def advance(self, done: int, **figures: float | str) -> None:
        """A line, unless the last one is only just written."""
        figures = self._with_time_left(done, figures)
        now = self._clock()
        if now - self._told < PLAIN_INTERVAL and done != self._total:
            return
        self._told = now
        words = describe(figures)
        self._output.note(f"{self._name}: {self._count(done)}{words and ', '}{words}")


class JsonDisplay(Display):
    """JSON lines on stderr, for a script that follows the work: stage, advance, note, error."""

    def __init__(self, output: Output, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(output, clock=clock)
        output.as_events = True
        self._told = 0.0

    def stage(self, name: str, total: int | None = None, unit: str = "") -> None:
        """A line that names the stage."""
        super().stage(name, total, unit)
        self._told = self._begun
        self._output.event({"event": "stage", "name": name, "total": total, "unit": unit})

    def advance(self, done: int, **figures: float | str) -> None:
        """A line, at most one a second, and one when the stage is done."""
        figures = self._with_time_left(done, figures)
        now = self._clock()
        if now - self._told < JSON_INTERVAL and done != self._total:
            return
        self._told = now
        self._output.event(
            {
                "event": "advance",
                "name": self._name,
                "done": done,
                "total": self._total,
                "unit": self._unit,
                "figures": figures,
            }
        )


def progress_for(
    output: Output,
    kind: ProgressKind | None = None,
    *,
    quiet: bool = False,
    brief: bool = False,
) -> Display:
    """The display that was asked for, or that fits where the command runs.

    Use it in a `with` block.

    Args:
        output: the command's output; the display writes to stderr only, with `--json` too.
        kind: what `--progress` says; when None, bars on a terminal and lines elsewhere.
        quiet: show notes only, unless `kind` says otherwise.
        brief: for a command that is mostly quick: nothing off a terminal, and on one the bars go
            when it ends, unless `kind` says otherwise.

    Raises:
        InputError: `live` was asked for where there is no terminal.
    """
    terminal = output.on_terminal() and os.environ.get("TERM") != "dumb"
    if kind is ProgressKind.LIVE and not terminal:
        raise InputError(
            Problem("stderr is no terminal that could show it", "--progress live", "use plain")
        )
    if kind is None:
        if quiet or (brief and not terminal):
            kind = ProgressKind.NONE
        else:
            kind = ProgressKind.LIVE if terminal else ProgressKind.PLAIN
    if kind is ProgressKind.LIVE:
        # rich costs more to load than a quick command takes.
        from kolm_cli.cli.bars import LiveDisplay

        return LiveDisplay(output, transient=brief)
    displays = {ProgressKind.PLAIN: PlainDisplay, ProgressKind.JSON: JsonDisplay}
    return displays.get(kind, Display)(output)
