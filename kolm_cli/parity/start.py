"""Starting a server, and ending it with everything that it started."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from kolm_cli.core.errors import LackingError, Problem
from kolm_cli.core.progress import Progress

# Large weights are read from disk, and kernels are compiled.
START_SECONDS = 1800.0
END_SECONDS = 30.0
_LOG_LINES = 8
_LOG_BYTES = 200_000
_EXCEPTION = re.compile(r"\b(?:[A-Z]\w*(?:Error|Exception|Interrupt)): .+")


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def running(
    name: str, command: Sequence[str], port: int, log: Path, progress: Progress
) -> Iterator[str]:
    """A server that answers, for as long as the block lasts; gives its address.

    Args:
        name: how messages call it.
        command: its command line, which makes it listen on `port` of this machine.
        port: a free port.
        log: where what it prints goes.
        progress: told of the wait.

    Raises:
        LackingError: it ended, or does not answer; with the end of what it printed.
    """
    url = f"http://127.0.0.1:{port}"
    progress.stage(f"start {name}")
    with log.open("wb") as out:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            # A group of its own, so that its workers end with it.
            start_new_session=True,
        )
    try:
        _wait(name, process, url, log)
        yield url
    finally:
        _end(process)


def _wait(name: str, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    with httpx.Client(timeout=10, trust_env=False) as http:
        while time.monotonic() < until:
            if process.poll() is not None:
                raise LackingError(
                    Problem(f"{name} ended with {process.returncode}:\n{_tail(log)}"),
                    hint="its own command line is in the export's README.md",
                )
            with contextlib.suppress(httpx.HTTPError):
                if http.get(f"{url}/v1/models").is_success:
                    return
            time.sleep(0.5)
    raise LackingError(Problem(f"{name} does not answer after {START_SECONDS:g} s:\n{_tail(log)}"))


def _tail(log: Path) -> str:
    """What a log says of the fault: its messages of exceptions, the first first; else its end."""
    lines = log.read_bytes()[-_LOG_BYTES:].decode("utf-8", "replace").splitlines()
    said = [match[0] for line in lines if (match := _EXCEPTION.search(line))]
    shown = [*dict.fromkeys(said)][:_LOG_LINES] or lines[-_LOG_LINES:]
    return "\n".join(line[:300] for line in shown)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
            break
    # What ignored the end of its parent ends now.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
