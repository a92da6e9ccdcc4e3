"""The worker's end of the line to its parent: when standard input closes, it stops."""

from __future__ import annotations

import fcntl
import os
import sys
import threading
import time
from pathlib import Path
from typing import IO

from kolm_cli.core.errors import LackingError

# How long a step may take to reach a checkpoint before the worker leaves without one.
GRACE_SECONDS = 30.0
LOCK_WAIT_SECONDS = 90.0


class Lifeline:
    """Watches standard input; SIGTERM to the launcher alone would orphan the worker."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._done = threading.Event()
        threading.Thread(target=self._watch, name="lifeline", daemon=True).start()

    def should_stop(self) -> bool:
        """Whether the parent is gone, or asked to stop."""
        return self._stop.is_set()

    def release(self) -> None:
        """The work is finished; a closing input no longer matters."""
        self._done.set()

    def _watch(self) -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        self._stop.set()
        if not self._done.wait(GRACE_SECONDS):
            os._exit(130)


def lock_run(folder: Path) -> IO[str]:
    """Take the run folder for this worker, waiting for one that is about to end.

    Returns:
        the open lock file; the lock lasts until it is closed or the process ends.

    Raises:
        LackingError: another worker still holds it.
    """
    stream = (folder / "worker.lock").open("a")
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise LackingError(
                    f"another worker still holds {folder}",
                    hint="wait for it to end, or end it",
                ) from None
            time.sleep(0.2)
        else:
            return stream
