"""On a terminal: progress that is redrawn, and the proxy's live screen."""

from __future__ import annotations

import os
import pty
import re
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kolm_cli.capture.store import Store
from tests.capture.helpers import png, write_rows
from tests.capture.proxy.helpers import Upstream, request


@pytest.fixture
def upstream() -> Iterator[str]:
    running = Upstream()
    yield running.url
    running.close()


class Terminal:
    """A command whose stderr is a terminal."""

    def __init__(self, home: Path, *arguments: object) -> None:
        self._front, back = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kolm_cli.cli.app", "capture", *map(str, arguments)],
            env={**os.environ, "KOLM_HOME": str(home), "TERM": "xterm-256color"},
            stdout=subprocess.PIPE,
            stderr=back,
            text=True,
        )
        os.close(back)
        self.seen = ""

    def until(self, pattern: str, seconds: float = 30) -> re.Match[str]:
        deadline = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.seen)
            if found:
                return found
            assert time.monotonic() < deadline, self.seen
            ready, _, _ = select.select([self._front], [], [], 0.2)
            if ready:
                try:
                    self.seen += os.read(self._front, 65536).decode()
                except OSError as error:
                    raise AssertionError(self.seen) from error


def test_import_shows_its_progress(home: Path, charts: Path) -> None:
    terminal = Terminal(home, "import", charts, "--to", "ns")
    terminal.until("reading charts.jsonl")
    terminal.until("storing charts.jsonl")
    terminal.until("recognized")
    assert terminal.process.wait(timeout=30) == 0
    assert terminal.process.stdout is not None
    assert "\x1b" not in terminal.process.stdout.read()


def test_the_proxy_shows_calls_pairs_rate_and_the_last_pair(home: Path, upstream: str) -> None:
    terminal = Terminal(home, "proxy", "--to", "ns", "--upstream", upstream, "--port", "0")
    url = terminal.until(r"base URL  (http://\S+)/v1")[1]
    body = request(text="a question \x1b[2J")
    httpx.post(f"{url}/v1/chat/completions", json=body).raise_for_status()
    terminal.until(r"calls     1  \(0 under way, \d+/s\)")
    terminal.until(r"pairs     1  \(1 new, 0 calls without a pair\)")
    terminal.until(r"last      id: 1, model: m-2026, images: 1, prompt: a question")
    # What was captured cannot clear the screen.
    assert "\x1b[2J" not in terminal.seen
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.process.wait(timeout=30) == 0


def test_an_import_on_a_full_disk_says_so_and_can_be_repeated(home: Path, tmp_path: Path) -> None:
    rows = []
    for i in range(600):
        (tmp_path / f"{i}.png").write_bytes(png((i % 256, i // 256, 7)))
        prompt = f"{i} " + "long " * 400
        rows.append({"image": f"{i}.png", "prompt": prompt, "response": "r"})
    path = write_rows(tmp_path / "r.jsonl", rows)

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (900_000, 900_000))

    def run(limit: bool) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "kolm_cli.cli.app", "capture", "import", path, "--to", "ns"],
            env={**os.environ, "KOLM_HOME": str(home)},
            capture_output=True,
            text=True,
            preexec_fn=small_files if limit else None,
            timeout=120,
        )

    full = run(limit=True)
    assert full.returncode == 5, full.stderr
    assert "could not be stored" in full.stderr
    assert run(limit=False).returncode == 0
    with Store.open() as store:
        assert store.count("ns") == 600
