"""Why a worker failed, in words that its parent can show."""

from __future__ import annotations

import contextlib
import errno
import json
import re
import shutil
from pathlib import Path

import torch

from kolm_cli.core.errors import KolmError, LackingError, Problem

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
# safetensors and torch.save raise errors of their own, with the system's in the text.
_NO_ROOM_TEXT = re.compile(
    "No space left on device|Disk quota exceeded|PytorchStreamWriter failed|unexpected pos"
)


# What torch says when a data worker finds /dev/shm full.
_SHARED_MEMORY = re.compile(r"shared memory|torch_shm_manager|/torch_\d+")


def describe_fault(error: Exception, folder: Path) -> KolmError:
    """What ran out is the environment's; anything else is a fault of kolm's.

    Args:
        error: what ended the worker.
        folder: the run's folder.
    """
    if isinstance(error, torch.OutOfMemoryError):
        return LackingError(
            Problem("the GPU's memory is too small for this run", where="worker"),
            hint="lower train.per_device_train_batch_size or max_seq_length, or write"
            " gradient_checkpointing: true; with evaluate.during, lower evaluate.batch_size",
        )
    if _SHARED_MEMORY.search(str(error)):
        return LackingError(
            Problem("shared memory is too small for the data workers", where="/dev/shm"),  # noqa: S108
            hint="give the container more (docker run --shm-size=2g)",
        )
    no_room = isinstance(error, OSError) and error.errno in _NO_ROOM
    if no_room or _NO_ROOM_TEXT.search(str(error)):
        where = getattr(error, "filename", None) or folder
        free = shutil.disk_usage(folder).free
        return LackingError(
            Problem(f"the disk is full: {free} bytes are free", where=str(where)),
            hint="free some space; the same command again resumes",
        )
    return KolmError(Problem(f"{type(error).__name__}: {error}", where="worker"))


# Room for the reason, so that a full disk can be said on that disk.
ROOM_BYTES = 16 << 10


def keep_room(folder: Path) -> None:
    """Set room aside in which `leave_reason` can write."""
    (folder / "error.room").write_bytes(bytes(ROOM_BYTES))


def leave_reason(folder: Path, error: KolmError) -> None:
    """Write `error.json`; the first process to fail says why, not those it took with it."""
    (folder / "error.room").unlink(missing_ok=True)
    # Where it cannot be written, the parent shows the end of the log instead.
    with contextlib.suppress(OSError), (folder / "error.json").open("x") as stream:
        json.dump(error.as_json()["error"], stream)
