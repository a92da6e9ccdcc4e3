"""Work on hostile input in a child process, with a limit on what memory it may take."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import resource
import signal
from collections.abc import Callable, Generator, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

Item = TypeVar("Item")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def limit_memory(extra: int) -> None:
    """Allow this process what it has now, and so many bytes more."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return  # macOS has no such file, and does not keep to this limit
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = pages * _PAGE + extra
    if hard == resource.RLIM_INFINITY or wanted < hard:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))


def leave_signals() -> None:
    """Ctrl-C is the parent's to answer, and nothing of the parent's is done at an end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def items_of_child(make: Callable[[], Iterator[Item]], memory: int) -> Generator[Item, None, None]:
    """The items that `make` gives, made in a copy of this process.

    Args:
        make: makes them; what it raises is raised here.
        memory: bytes that making them may take.

    Raises:
        MemoryError: they take more, or the child came to a sudden end.
    """
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_make, args=(ours, theirs, make, memory), daemon=True)
    child.start()
    theirs.close()
    try:
        while True:
            try:
                kind, value = pickle.loads(ours.recv_bytes())  # noqa: S301  # our own child's
            except EOFError:
                child.join(1)
                what = f"the process that read it came to an end ({child.exitcode})"
                raise MemoryError(what) from None
            if kind == "end":
                return
            if kind == "error":
                raise value
            yield value
    finally:
        ours.close()
        child.kill()
        child.join()


def _make(
    ours: Connection, theirs: Connection, make: Callable[[], Iterator[Any]], memory: int
) -> None:
    ours.close()
    leave_signals()
    limit_memory(memory)
    last: tuple[str, Any] = ("end", None)
    try:
        for item in make():
            theirs.send_bytes(pickle.dumps(("item", item)))
    except MemoryError:
        last = ("error", MemoryError(f"takes more than {memory >> 20} MiB of memory"))
    except (BrokenPipeError, KeyboardInterrupt):
        return
    except Exception as error:
        last = ("error", error)
    with contextlib.suppress(BrokenPipeError):
        theirs.send_bytes(pickle.dumps(last))
