"""Runs the blocks of a page as a reader would type them: one shell session, one folder."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.pages import Block
from tests.support.command import kolm


@dataclass
class Session:
    """A shell session that outlives its blocks: what they export and where they `cd` stays.

    Attributes:
        folder: where the reader is.
        changes: what the test writes instead of what the page says, such as a small base for one
            that has to be downloaded.
        env: the reader's environment.
        instead_of_files: other contents for files that the page shows.
        said: what the blocks wrote to standard output.
    """

    folder: Path
    changes: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    instead_of_files: dict[str, str] = field(default_factory=dict)
    said: str = ""

    def __post_init__(self) -> None:
        programs = self.folder.parent / f"{self.folder.name}-bin"
        programs.mkdir(exist_ok=True)
        for name, arguments in (("kolm", "-m kolm_cli.cli.app"), ("python", "")):
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec {sys.executable} {arguments} "$@"\n')
            program.chmod(0o755)
        path = f"{programs}:{os.environ['PATH']}"
        self.env = {**os.environ, "KOLM_HOME": str(self.folder / "home"), **self.env, "PATH": path}
        self._used: set[str] = set()

    def run(self, page: Iterable[Block]) -> None:
        """Run a page's blocks in order."""
        for block in page:
            text = self._changed(block.text)
            if name := block.marked("file"):
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                text = self.instead_of_files.get(name, text)
                (self.folder / name).write_text(text, encoding="utf-8")
            elif block.runs:
                wanted = int(block.marked("exit") or 0)
                code, out, err = (
                    self._python(text) if block.language == "python" else self._sh(text)
                )
                assert code == wanted, f"{block} ended with {code}:\n{text}\n{out}\n{err}"
                self.said += out
        unused = self.changes.keys() - self._used
        assert not unused, f"the page does not say {sorted(unused)}"

    def _changed(self, text: str) -> str:
        for old, new in self.changes.items():
            if old in text:
                self._used.add(old)
                text = text.replace(old, new)
        return text

    def _python(self, text: str) -> tuple[int, str, str]:
        return self._process([sys.executable, "-c", text])

    def _sh(self, text: str) -> tuple[int, str, str]:
        commands = plain_commands(text)
        return self._shell(text) if commands is None else self._here(commands)

    def _here(self, commands: list[list[str]]) -> tuple[int, str, str]:
        """Run `kolm` commands in this process, up to the first that fails."""
        out = err = ""
        for _, *arguments in commands:
            done = kolm(*arguments, cwd=self.folder, **self.env)
            out, err = out + done.out, err + done.err
            if done.code:
                return done.code, out, err
        return 0, out, err

    def _shell(self, text: str) -> tuple[int, str, str]:
        after = self.folder.parent / f"{self.folder.name}-after"
        keep = f"trap 'pwd > {after}; env -0 >> {after}' EXIT\n"
        result = self._process(["bash", "-eu", "-o", "pipefail", "-c", keep + text])
        where, _, variables = after.read_bytes().partition(b"\n")
        self.folder = Path(os.fsdecode(where))
        pairs = (os.fsdecode(v).partition("=") for v in variables.split(b"\0") if v)
        self.env = {name: value for name, _, value in pairs}
        return result

    def _process(self, command: list[str]) -> tuple[int, str, str]:
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr


def plain_commands(text: str) -> list[list[str]] | None:
    """The `kolm` commands of a block that needs no shell, or None."""
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    if any(set(line) & set("$`|<>&;~*(){}") for line in lines):
        return None
    commands = [shlex.split(line, comments=True) for line in lines]
    return commands if all(c and c[0] == "kolm" for c in commands) else None
