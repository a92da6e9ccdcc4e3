"""Writing files so that a reader sees the whole new content or the old one, never half."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from kolm_cli.core.errors import InputError, LackingError, Problem


@contextlib.contextmanager
def atomic_writer(path: Path, *, mode: int = 0o644, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary sibling of `path` for writing, and rename it there on success.

    On an error nothing is left behind and `path` is as it was.

    Args:
        path: where the content shall stand.
        mode: the permissions of a new file.
        durable: fsync the file and its folder, so that the content survives a power cut.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(temporary, flags, mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
    if durable:
        sync_folder(path.parent)


def require_writable(path: Path) -> None:
    """Refuse a path that no file can be written to, before hours are spent on its content.

    The nearest folder that exists is tried by writing to it: permissions alone do not tell of
    read-only file systems, of `/proc`, or of a user who may do anything.

    Raises:
        InputError: a folder stands there, or no file can be written there.
        LackingError: the disk is full.
    """
    if os.path.isdir(path):
        raise InputError(Problem("this is a folder", where=str(path), fix="name the file to write"))
    folder = path.parent
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    try:
        with contextlib.suppress(FileNotFoundError):
            path.lstat()  # says when a name is too long
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        kind = LackingError if error.errno in (errno.ENOSPC, errno.EDQUOT) else InputError
        raise kind(
            Problem(
                f"no file can be written there ({error.strerror})",
                where=str(path),
                fix="name a file in a folder that you may write to",
            )
        ) from error


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644, durable: bool = True) -> None:
    """Write `data` to `path` whole or not at all."""
    with atomic_writer(path, mode=mode, durable=durable) as stream:
        stream.write(data)


def sync_folder(folder: Path) -> None:
    """Make a rename or an unlink in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
