"""The one writer for all output: data on stdout, all else on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from kolm_cli.core.errors import KolmError


class Output:
    """Writes what a command has to say, for a person or (`--json`) for a script."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json

    def data(self, text: str) -> None:
        """Lines that are the command's result."""
        sys.stdout.write(text if text.endswith("\n") else text + "\n")

    def json(self, value: Any) -> None:
        """The command's result as one JSON document."""
        self.data(json.dumps(value, indent=2, ensure_ascii=False))

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Aligned columns: quick to read, and easy to cut with standard tools."""
        lines = [list(header), *[list(row) for row in rows]]
        widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
        for line in lines:
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self.data("  ".join(cells).rstrip())

    def note(self, text: str) -> None:
        """Something worth knowing that is not the result."""
        sys.stderr.write(f"{text}\n")

    def error(self, error: KolmError) -> None:
        """Every problem of `error`: a line that says what and where, a second for the fix."""
        red, dim, plain = ("\x1b[31m", "\x1b[2m", "\x1b[0m") if self.colour() else ("", "", "")
        for problem in error.problems:
            place = f"{problem.where}: " if problem.where else ""
            self.note(f"{red}error:{plain} {place}{problem.what}")
            if problem.fix:
                self.note(f"  {dim}fix:{plain} {problem.fix}")
        if error.hint:
            self.note(f"{dim}try:{plain} {error.hint}")
        if self.as_json:
            self.json(error.as_json())

    def fault(self, error: BaseException) -> None:
        """An error that kolm did not foresee."""
        self.note(f"error: unexpected {type(error).__name__}: {error}")
        self.note("  fix: run again with KOLM_TRACEBACK=1 and report what it prints")

    @staticmethod
    def colour() -> bool:
        """Whether stderr is a terminal that wants colour (https://no-color.org)."""
        return sys.stderr.isatty() and not os.environ.get("NO_COLOR")
