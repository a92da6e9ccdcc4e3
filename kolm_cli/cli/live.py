"""How progress looks: bars on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from kolm_cli.cli.output import Output

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

# Seconds between two lines of one stage: a log stays readable, a watcher sees life.
PLAIN_INTERVAL = 5.0

Figures = dict[str, float | str]


def duration(seconds: float) -> str:
    """`0:07`, `12:34` or `1:02:03`."""
    minutes, second = divmod(max(0, round(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def describe(figures: Figures) -> str:
    """The figures in words, the known ones first: `loss 0.1234, 1,234 tokens/s, 1:20 left`."""
    known: dict[str, Callable[[float], str]] = {
        "loss": lambda value: f"loss {value:.4f}",
        "accuracy": lambda value: f"accuracy {value:.4f}",
        "tokens_per_second": lambda value: f"{value:,.0f} tokens/s",
        "eta_seconds": lambda value: f"{duration(value)} left",
    }
    words = [
        show(value)
        for name, show in known.items()
        if isinstance(value := figures.get(name), int | float)
    ]
    for name, value in figures.items():
        if name not in known or isinstance(value, str):
            shown = value if isinstance(value, str) else f"{value:.4g}"
            words.append(f"{name.replace('_', ' ')} {shown}")
    return ", ".join(words)


class Display:
    """A `core.progress.Progress` that is closed when its `with` block ends.

    This one shows notes and nothing else: for `--json` and for quiet commands.
    """

    def __init__(self, output: Output, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._output = output
        self._clock = clock
        self._name = ""
        self._total: int | None = None
        self._begun = clock()

    def stage(self, name: str, total: int | None = None) -> None:
        """A stage begins; the one before it is over."""
        self._name, self._total, self._begun = name, total, self._clock()

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
        """The figures, and the time left by the stage's pace so far unless they say it."""
        if "eta_seconds" in figures or self._total is None or not 0 < done < self._total:
            return figures
        pace = (self._clock() - self._begun) / done
        return figures | {"eta_seconds": pace * (self._total - done)}

    def _count(self, done: int) -> str:
        return str(done) if self._total is None else f"{done}/{self._total}"


class PlainDisplay(Display):
    """A line when a stage begins and ends, and one every few seconds in between."""

    def __init__(self, output: Output, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(output, clock=clock)
        self._told = 0.0

    def stage(self, name: str, total: int | None = None) -> None:
        """A line that names the stage."""
        super().stage(name, total)
        self._told = self._begun
        self._output.note(f"{name} ..." if total is None else f"{name}: 0/{total}")

    def advance(self, done: int, **figures: float | str) -> None:
        """A line, unless the last one is only just written."""
        now = self._clock()
        if now - self._told < PLAIN_INTERVAL and done != self._total:
            return
        self._told = now
        words = describe(self._with_time_left(done, figures))
        self._output.note(f"{self._name}: {self._count(done)}{words and ', '}{words}")


class LiveDisplay(Display):
    """A bar for each stage; those that are over stay, with the time they took."""

    def __init__(
        self,
        output: Output,
        *,
        clock: Callable[[], float] = time.monotonic,
        stream: TextIO | None = None,
    ) -> None:
        super().__init__(output, clock=clock)
        self._bars = _bars(stream or sys.stderr)
        self._task: int | None = None
        self._figures: Figures = {}

    def stage(self, name: str, total: int | None = None) -> None:
        """A new bar below the others."""
        self._end_stage()
        super().stage(name, total)
        self._figures = {}
        self._task = self._bars.add_task(
            name, total=total, count="" if total is None else self._count(0), words=""
        )
        # Started with the first stage: nothing is drawn by a command that has nothing to show.
        self._bars.start()

    def advance(self, done: int, **figures: float | str) -> None:
        """Move the bar."""
        if self._task is None:
            self.stage("working")
        self._figures = figures
        words = describe(self._with_time_left(done, figures))
        self._update(completed=done, count=self._count(done), words=words)

    def note(self, text: str) -> None:
        """A line above the bars."""
        if not self._bars.live.is_started:
            super().note(text)
            return
        from rich.text import Text

        # As `Text`: brackets in a row's name are no markup, control characters do not pass.
        self._bars.console.print(Text(text), soft_wrap=True)

    def close(self) -> None:
        """End the last stage, and show the cursor again."""
        self._end_stage()
        if self._bars.live.is_started:  # rich ends the line even of bars that never showed
            self._bars.stop()

    def _end_stage(self) -> None:
        if self._task is None:
            return
        lasting = {name: v for name, v in self._figures.items() if name != "eta_seconds"}
        words = describe(lasting)
        took = f"in {duration(self._clock() - self._begun)}"
        # A bar without a total would go on pulsing.
        done = self._bars.tasks[-1].completed
        whole = {"total": done or 1, "completed": done or 1} if self._total is None else {}
        self._update(**whole, words=f"{words}{words and ', '}{took}")
        self._task = None

    def _update(self, **fields: float | str) -> None:
        from rich.progress import TaskID

        if self._task is not None:
            self._bars.update(TaskID(self._task), **fields)  # type: ignore[arg-type]


def _bars(stream: TextIO) -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    # rich reads NO_COLOR itself.
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[count]}", markup=False),
        TextColumn("{task.fields[words]}", markup=False),
        console=Console(file=stream, highlight=False),
        redirect_stdout=False,
        redirect_stderr=False,
        refresh_per_second=5,
    )


def progress_for(output: Output, *, quiet: bool = False) -> Display:
    """The display that fits where the command runs; use it in a `with` block.

    Args:
        output: the command's output; with `--json` only notes are shown, on stderr.
        quiet: show notes only.
    """
    if quiet or output.as_json:
        return Display(output)
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        return LiveDisplay(output)
    return PlainDisplay(output)
