"""How many processes prepare batches: as many as help, and as their shared memory can hold."""

from __future__ import annotations

import os
from pathlib import Path

from kolm_cli.core.processors import available_processors

MOST = 4
# What torch's DataLoader keeps ready in each worker.
PREFETCH = 2
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where torch puts the tensors of its workers


def free_shared_memory() -> int | None:
    """Bytes free in /dev/shm; None where there is no such thing."""
    try:
        stat = os.statvfs(SHARED_MEMORY)
    except OSError:
        return None
    return stat.f_bavail * stat.f_frsize


def choose_workers(batch_bytes: int, free: int | None, sharing: int = 1) -> tuple[int, str]:
    """How many workers to start, and what to tell the user when memory allows fewer.

    Batches travel through /dev/shm. A container has 64 MB of it unless told otherwise, and a
    worker that finds it full dies of a bus error.

    Args:
        batch_bytes: the size of the largest batch.
        free: bytes free in /dev/shm; None when that is unknown.
        sharing: processes of the run that share this machine.
    """
    wanted = min(MOST, max(0, available_processors() // sharing - 1))
    free = None if free is None else free // sharing
    # One batch more is on its way to the device.
    room = wanted if free is None else max(0, (free - batch_bytes) // (PREFETCH * batch_bytes or 1))
    if room >= wanted:
        return wanted, ""
    return room, (
        f"{SHARED_MEMORY} has {(free or 0) // 2**20} MB free, which holds the batches of {room}"
        f" data workers instead of {wanted}; give the container more (docker run --shm-size=2g)"
    )
