"""The command line as a user meets it: in this process where that does, else in one of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KOLM = [sys.executable, "-m", "kolm_cli.cli.app"]


@dataclass
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON document that it must be."""
        return json.loads(self.out)


def kolm(*arguments: object, cwd: Path | None = None, stdin: str | None = None, **env: str) -> Done:
    """Run `kolm` with these arguments from its entry point on, without starting an interpreter.

    What it imports stays imported, so a command that needs torch pays for that once.

    Args:
        arguments: as typed; paths and numbers are written out.
        cwd: the folder it runs in.
        stdin: what is typed or piped in.
        env: variables beside those of the test.
    """
    from kolm_cli.cli.app import main

    out, err = _stream(), _stream()
    with _as_a_process(["kolm", *map(str, arguments)], cwd, env, _stream(stdin or ""), out, err):
        try:
            main()
            code: object = 0
        except SystemExit as end:
            code = end.code
    if code is not None and not isinstance(code, int):
        err.write(f"{code}\n")
    return Done(code if isinstance(code, int) else int(code is not None), _text(out), _text(err))


def kolm_process(
    *arguments: object,
    cwd: Path | None = None,
    stdin: str | None = None,
    timeout: float = 300,
    **env: str,
) -> Done:
    """Run `kolm` in a process of its own: where imports, locks or limits are the subject."""
    done = subprocess.run(
        [*KOLM, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **env},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def _stream(text: str = "") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode()  # type: ignore[attr-defined]


@contextlib.contextmanager
def _as_a_process(
    argv: list[str],
    cwd: Path | None,
    env: dict[str, str],
    stdin: io.TextIOWrapper,
    out: io.TextIOWrapper,
    err: io.TextIOWrapper,
) -> Iterator[None]:
    """Everything that a process has of its own, put back afterwards."""
    before = dict(os.environ)
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 0
    before_in, before_argv, before_main = sys.stdin, sys.argv, sys.modules["__main__"]
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with (
        contextlib.chdir(cwd or Path.cwd()),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        os.environ.update(env)
        sys.argv, sys.stdin = argv, stdin
        # Where usage messages look for the program's name.
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            yield
        finally:
            sys.argv, sys.stdin, sys.modules["__main__"] = before_argv, before_in, before_main
            os.environ.clear()
            os.environ.update(before)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            if torch:
                torch.set_num_threads(threads)
