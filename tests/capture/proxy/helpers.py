"""An upstream that answers as the real APIs do, and a proxy that runs as its own process."""

from __future__ import annotations

import base64
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kolm_cli.capture.store import Store
from kolm_cli.core.digests import sha256_bytes
from tests.capture.helpers import png

HERE = Path(__file__).parent
ANSWER = "The bar is 75 % – ✓"  # noqa: RUF001
KEY = "sk-API-KEY-SECRET"


def uri(colour: int = 0) -> str:
    return "data:image/png;base64," + base64.b64encode(png((colour, 0, 0))).decode()


def name(colour: int = 0) -> str:
    return sha256_bytes(png((colour, 0, 0)))


def asked(text: str, *colours: int) -> list[dict[str, Any]]:
    images = [{"type": "image_url", "image_url": {"url": uri(c)}} for c in colours]
    return [{"role": "user", "content": [{"type": "text", "text": text}, *images]}]


class Upstream:
    def __init__(self, delay: float = 0.0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "upstream.py"), str(delay)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class Running:
    """A proxy that runs as its own process, its JSON lines read as they come."""

    def __init__(self, home: Path, upstream: str, *more: str, **options: Any) -> None:
        environment = {**os.environ, "KOLM_HOME": str(home), **options.pop("env", {})}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kolm_cli.cli.app", "capture", "proxy", "--to", "ns",
             "--upstream", upstream, "--port", "0", *more],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **options,
        )  # fmt: skip
        self.lines: list[str] = []
        self._queue: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self.url = json.loads(self._queue.get(timeout=150))["url"]
        except queue.Empty:
            self.process.kill()
            raise AssertionError(self.process.communicate()[1]) from None

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            self._queue.put(line)

    def until(
        self, wanted: Callable[[dict[str, Any]], bool], seconds: float = 150
    ) -> dict[str, Any]:
        """The first report from now on that `wanted` accepts."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._queue.get(timeout=max(0.1, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"its last report: {self.lines[-1:]}") from None
            event: dict[str, Any] = json.loads(line)
            if wanted(event):
                return event

    def recorded(self, calls: int) -> dict[str, Any]:
        return self.until(lambda event: event.get("recorded", 0) >= calls)

    def stop(self, how: int = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(timeout=60)

    @property
    def last(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.lines[-1])
        return found


Start = Callable[..., Running]


def pairs(home: Path) -> list[Any]:
    with Store.open(home) as store:
        return sorted(store.pairs("ns"), key=lambda pair: pair.id)


def request(stream: bool = False, model: str = "m", text: str = "q") -> dict[str, Any]:
    return {"model": model, "messages": asked(text, 1), "stream": stream}
