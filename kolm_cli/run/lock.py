"""One compile at a time of the same inputs."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator

from kolm_cli.core.home import private_folder
from kolm_cli.core.progress import Progress


@contextlib.contextmanager
def one_at_a_time(training: str, progress: Progress) -> Iterator[None]:
    """Hold the lock of a run; who comes second waits, then finds the first's result.

    Args:
        training: the digest that names the run.
        progress: told when there is a wait.
    """
    path = private_folder("locks") / f"{training}.lock"
    with path.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.note("another compile of the same inputs is running; waiting for it")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
