"""The one writer for all output: data on stdout, all else on stderr.

Whatever text it is given may come from a stranger's file, so that every method spells out what
could steer a terminal. kolm's own control sequences go through `draw` and nothing else does.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import typer

from kolm_cli.core.errors import KolmError, folded
from kolm_cli.core.printable import json_text, one_line, printable

# Columns of a label, and the fewest that a text beside it gets.
_LABEL, _LEAST_TEXT = 15, 30
_RED, _DIM, _PLAIN = "\x1b[31m", "\x1b[2m", "\x1b[0m"


class Output:
    """Writes what a command has to say, for a person or (`--json`) for a script.

    Attributes:
        as_json: the result is one JSON document.
        as_events: what goes to stderr is JSON lines (`--progress json`).
    """

    def __init__(self, *, as_json: bool = False, as_events: bool = False) -> None:
        self.as_json = as_json
        self.as_events = as_events

    def data(self, text: str, *, flush: bool = False) -> None:
        """Lines that are the command's result.

        Args:
            text: the lines, without or with the last line's end.
            flush: hand them on at once, to somebody who waits for them.
        """
        _write(sys.stdout, printable(text if text.endswith("\n") else text + "\n"), flush=flush)

    def labelled(self, label: str, text: str, *, wrap: bool = True) -> None:
        """A line of a result that a person reads: on a narrow terminal, several under each other.

        Args:
            label: what it is about; empty for a line that continues the one before.
            text: what is said.
            wrap: whether it may be broken; commands are copied whole.
        """
        parts = [text]
        if wrap and self.on_terminal(stdout=True):
            width = max(_LEAST_TEXT, shutil.get_terminal_size().columns - _LABEL - 1)
            parts = textwrap.wrap(
                one_line(text), width, break_long_words=False, break_on_hyphens=False
            ) or [text]
        for number, part in enumerate(parts):
            self.data(f"{'' if number else label:<{_LABEL}}{part}")

    def finish(self) -> None:
        """Hand on what is still held; a reader such as `head` may have left."""
        for stream in (sys.stdout, sys.stderr):
            _write(stream, "", flush=True)

    def json(self, value: Any) -> None:
        """The command's result as one JSON document."""
        self.data(json_text(value, indent=2))

    def json_list(self, items: Iterable[Any]) -> None:
        """A list as one JSON document, written item by item: it need not fit in memory."""
        before = "["
        for item in items:
            self.data(f"{before}\n  {json_text(item)}")
            before = ","
        self.data("[]" if before == "[" else "]")

    def json_line(self, value: Any) -> None:
        """One JSON document on a line of its own, handed on at once."""
        self.data(json_text(value), flush=True)

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Aligned columns: quick to read, and easy to cut with standard tools."""
        lines = [[one_line(cell) for cell in line] for line in (header, *rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
        for line in lines:
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self.data("  ".join(cells).rstrip())

    def note(self, text: str) -> None:
        """Something worth knowing that is not the result."""
        if self.as_events:
            self.event({"event": "note", "text": text})
        else:
            _write(sys.stderr, printable(f"{text}\n"))

    def event(self, value: dict[str, Any]) -> None:
        """A JSON line on stderr, for a script that follows the work."""
        _write(sys.stderr, json_text(value) + "\n", flush=True)

    def error(self, error: KolmError) -> None:
        """The problems of `error`, a line for each kind and a second one for the fix."""
        if self.as_events:
            self.event({"event": "error", **error.as_json()["error"]})
        else:
            self._show(error)
        if self.as_json:
            self.json(error.as_json())

    def _show(self, error: KolmError) -> None:
        for problem in folded(error.problems):
            place = f"{one_line(problem.where)}: " if problem.where else ""
            self._colored("error:", _RED, f" {place}{problem.what}")
            if problem.fix:
                self._colored("  fix:", _DIM, f" {problem.fix}")
        if error.hint:
            self._colored("try:", _DIM, f" {error.hint}")

    def _colored(self, label: str, color: str, text: str) -> None:
        """A line with a label of kolm's own; further lines of `text` cannot pass for a label."""
        shown = f"{color}{label}{_PLAIN}" if self.color() else label
        self.draw(shown + printable(text).replace("\n", "\n    ") + "\n")

    def fault(self, error: BaseException) -> None:
        """An error that kolm did not foresee."""
        self.note(f"error: unexpected {type(error).__name__}: {error}")
        self.note("  fix: run again with KOLM_TRACEBACK=1 and report what it prints")

    def draw(self, sequence: str, *, on_stdout: bool = False) -> None:
        """Control sequences of kolm's own making; text from elsewhere must be printable in it."""
        _write(sys.stdout if on_stdout else sys.stderr, sequence, flush=True)

    @staticmethod
    def color() -> bool:
        """Whether stderr is a terminal that wants color (https://no-color.org)."""
        return Output.on_terminal() and not os.environ.get("NO_COLOR")

    @staticmethod
    def on_terminal(*, stdout: bool = False) -> bool:
        """Whether stderr (or stdout) is a terminal."""
        return (sys.stdout if stdout else sys.stderr).isatty()

    @staticmethod
    def asks() -> bool:
        """Whether somebody is there to answer a question."""
        return sys.stdin.isatty()

    @staticmethod
    def confirm(question: str) -> bool:
        """Whether the user says yes; asked on stderr."""
        return typer.confirm(one_line(question), err=True)

    @staticmethod
    def secret(question: str, *, twice: bool = False) -> str:
        """What the user types unseen; asked on stderr, and once more if `twice`."""
        text: str = typer.prompt(
            one_line(question), hide_input=True, confirmation_prompt=twice, err=True
        )
        return text

    @staticmethod
    def never_fail_to_encode() -> None:
        """What the terminal's encoding lacks is spelt out, on both streams."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")


def _write(stream: TextIO, text: str, *, flush: bool = False) -> None:
    """Write; into nothing once nobody reads any more: the exit code says how the command ended."""
    try:
        stream.write(text)
        if flush:
            stream.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
