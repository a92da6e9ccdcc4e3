"""Decoding many images at once, in processes of their own."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from kolm_cli.core.processors import available_processors
from kolm_cli.dataset.decode_helper import looked_at
from kolm_cli.records.images import ImageSource

Looked = list[int | str]

# Starting a helper takes as long as decoding some twenty photographs.
FEWEST = 48
MOST_HELPERS = 16


class Decoders:
    """Decodes images in as many processes as there are processors.

    Each process is fed by a thread, which also reads the image's bytes; what waits is a reference.
    """

    def __init__(self, processes: int | None = None) -> None:
        self.count = min(MOST_HELPERS, available_processors() if processes is None else processes)
        self._threads = ThreadPoolExecutor(self.count, "decode")
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        self._all: list[subprocess.Popen[bytes]] = []
        self._reading = threading.Lock()

    def submit(self, source: ImageSource) -> Future[Looked]:
        """Look at an image as soon as a process is free."""
        return self._threads.submit(self._look, source)

    def _look(self, source: ImageSource) -> Looked:
        with self._reading:
            data = source.read()
        try:
            helper = self._idle.get_nowait()
        except queue.Empty:
            helper = self._started()
        assert helper.stdin is not None  # noqa: S101 - for the type checker
        assert helper.stdout is not None  # noqa: S101
        line = b""
        with contextlib.suppress(OSError):
            helper.stdin.write(len(data).to_bytes(8, "big") + data)
            helper.stdin.flush()
            line = helper.stdout.readline()
        if not line.endswith(b"\n"):
            helper.kill()
            helper.wait()
            return ["its decoder crashed"]
        self._idle.put(helper)
        found: Looked = json.loads(line)
        return found

    def _started(self) -> subprocess.Popen[bytes]:
        helper = subprocess.Popen(
            [sys.executable, "-m", "kolm_cli.dataset.decode_helper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C is for whoever asked, who closes their input.
            start_new_session=True,
        )
        self._all.append(helper)
        return helper

    def close(self) -> None:
        """End the processes; what was not begun is forgotten."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        for helper in self._all:
            for pipe in (helper.stdin, helper.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            helper.wait()


@contextlib.contextmanager
def decoders(images: int) -> Iterator[Decoders | None]:
    """Helpers for so many images, where that pays."""
    if images < FEWEST or available_processors() < 2:
        yield None
        return
    made = Decoders()
    try:
        yield made
    finally:
        made.close()


def look(source: ImageSource) -> Looked:
    """The same without a helper."""
    return looked_at(source.read())
