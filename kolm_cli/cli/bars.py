"""What is redrawn in place on a terminal: bars for the stages of a command, or a few lines."""

from __future__ import annotations

import contextlib
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from kolm_cli.cli.display import Display
from kolm_cli.cli.figures import Figures, describe, duration
from kolm_cli.cli.output import Output
from kolm_cli.core.printable import one_line, printable

# Widths of the columns. They are fixed, so that nothing shifts while figures change.
_NAME, _COUNT, _WORDS, _BAR = 21, 18, 44, 24
# On a terminal of 80 columns: room for a bar, the first figure and the time left.
_NARROW_WORDS, _NARROW_BAR = 26, 12


class LiveDisplay(Display):
    """A bar for each stage; those that are over stay, with the time they took."""

    def __init__(
        self,
        output: Output,
        *,
        clock: Callable[[], float] = time.monotonic,
        stream: TextIO | None = None,
        transient: bool = False,
    ) -> None:
        super().__init__(output, clock=clock)
        self._terminal = contextlib.ExitStack()
        console = Console(file=stream, stderr=stream is None, highlight=False)
        self._narrow = console.width < _NAME + _COUNT + _WORDS + _BAR + 3
        self._bars = _bars(console, self._words, narrow=self._narrow, transient=transient)
        self._task: TaskID | None = None
        self._figures: Figures = {}
        self._reported = self._begun
        self._ended: dict[TaskID, str] = {}

    def stage(self, name: str, total: int | None = None, unit: str = "") -> None:
        """A new bar below the others."""
        self._end_stage()
        super().stage(name, total, unit)
        self._figures, self._reported = {}, self._begun
        self._task = self._bars.add_task(
            one_line(name), total=total, count="" if total is None else self._shown(0)
        )
        # Started with the first stage: nothing is drawn by a command that has nothing to show.
        if not self._bars.live.is_started:
            self._terminal.enter_context(unechoed_keys())
            self._bars.start()

    def advance(self, done: int, **figures: float | str) -> None:
        """Move the bar."""
        if self._task is None:
            self.stage("working")
        self._figures = self._with_time_left(done, figures)
        self._reported = self._clock()
        if self._task is not None:
            self._bars.update(self._task, completed=done, count=self._shown(done))

    def note(self, text: str) -> None:
        """A line above the bars."""
        if self._bars.live.is_started:
            # As `Text`: brackets in a row's name are no markup.
            self._bars.console.print(Text(printable(text)), soft_wrap=True)
        else:
            super().note(text)

    def close(self) -> None:
        """End the last stage, and show the cursor again."""
        self._end_stage()
        if self._bars.live.is_started:  # rich ends the line even of bars that never showed
            self._bars.stop()
        self._terminal.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """A stage that an error ended does not look as if it were done."""
        self._end_stage(stopped=kind is not None)
        self.close()

    def _end_stage(self, *, stopped: bool = False) -> None:
        if self._task is None:
            return
        words = self._describe({n: v for n, v in self._figures.items() if n != "eta_seconds"})
        took = duration(self._clock() - self._begun)
        ended = f"stopped after {took}" if stopped else f"{words}{words and ', '}in {took}"
        self._ended[self._task] = ended
        if self._total is None:  # a bar without a total would go on pulsing
            done = self._bars.tasks[-1].completed
            self._bars.update(self._task, total=done or 1, completed=done or 1)
        self._task = None

    def _shown(self, done: float) -> str:
        return one_line(self._count(done))

    def _words(self, task: Task) -> str:
        """What is shown beside a bar; the time left runs on between two reports."""
        if task.id in self._ended:
            return self._ended[task.id]
        figures = self._figures
        left = figures.get("eta_seconds")
        if isinstance(left, int | float):
            figures = figures | {"eta_seconds": left - (self._clock() - self._reported)}
        elif not figures:
            return duration(self._clock() - self._begun)
        return self._describe(figures)

    def _describe(self, figures: Figures) -> str:
        if self._narrow:
            first = next((name for name in ("loss", *figures) if name in figures), "")
            figures = {n: v for n, v in figures.items() if n in (first, "eta_seconds")}
        return one_line(describe(figures))


class LiveLines:
    """A few lines that are redrawn in place, for a command that runs until it is stopped."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False)
        self._terminal = contextlib.ExitStack()

    def show(self, lines: Sequence[tuple[str, str]]) -> None:
        """Draw the lines, each a text and its style (`red`, or nothing), instead of the last."""
        if not self._live.is_started:
            self._terminal.enter_context(unechoed_keys())
            self._live.start()
        shown = [
            Text(one_line(text), style=style, no_wrap=True, overflow="ellipsis")
            for text, style in lines
        ]
        self._live.update(Text("\n").join(shown), refresh=True)

    def close(self) -> None:
        """Leave the last lines, and show the cursor again. Closing twice does nothing."""
        if self._live.is_started:
            self._live.stop()
        self._terminal.close()


@contextlib.contextmanager
def unechoed_keys() -> Iterator[None]:
    """Keep the terminal from writing `^C` into what is drawn; the key itself works as ever."""
    try:
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
    except (OSError, ValueError, termios.error):
        yield  # stdin is no terminal
        return
    quiet = termios.tcgetattr(descriptor)
    quiet[3] &= ~termios.ECHOCTL
    termios.tcsetattr(descriptor, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)


class _WordsColumn(ProgressColumn):
    def __init__(self, words: Callable[[Task], str], column: Column) -> None:
        super().__init__(table_column=column)
        self._show = words

    def render(self, task: Task) -> Text:
        return Text(self._show(task))


def _bars(
    console: Console, words: Callable[[Task], str], *, narrow: bool, transient: bool
) -> Progress:
    """The table of bars."""
    words_width, bar_width = (_NARROW_WORDS, _NARROW_BAR) if narrow else (_WORDS, _BAR)

    def fixed(width: int) -> Column:
        return Column(width=width, no_wrap=True, overflow="ellipsis")

    # rich reads NO_COLOR itself.
    return Progress(
        TextColumn("{task.description}", markup=False, table_column=fixed(_NAME)),
        BarColumn(bar_width=bar_width),
        TextColumn(
            "{task.fields[count]}", markup=False, justify="right", table_column=fixed(_COUNT)
        ),
        _WordsColumn(words, fixed(words_width)),
        console=console,
        transient=transient,
        redirect_stdout=False,
        redirect_stderr=False,
        refresh_per_second=3,
    )
