"""Reading files within bounds, and writing them whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from kolm_cli.core.errors import InputError, LackingError, Problem


def expanded(path: str | Path) -> Path:
    """The path with the home of `~` or `~user` in its place.

    Raises:
        InputError: there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(
            Problem("there is no such user", str(path), "write the whole path")
        ) from error


def open_regular(path: Path, *, buffering: int = -1) -> BinaryIO:
    """Open a regular file for reading.

    A FIFO or a device would hang, or never end.

    Args:
        path: the file; a link is followed.
        buffering: as in `open`.

    Raises:
        OSError: it is missing, unreadable, or something else than a regular file; `strerror` says
            which.
    """
    try:
        # O_NONBLOCK: opening a FIFO returns at once instead of waiting for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:
        raise OSError(errno.EINVAL, "not a path", str(path)) from error
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISREG(kind):
        return os.fdopen(descriptor, "rb", buffering=buffering)
    os.close(descriptor)
    if stat.S_ISDIR(kind):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "not a regular file", str(path))


def read_regular(path: Path, max_bytes: int) -> bytes:
    """The bytes of a regular file of at most `max_bytes`.

    Raises:
        OSError: as `open_regular`; or the file is larger.
    """
    with open_regular(path) as stream:
        # A file of /proc says that it is empty, and one that grows says too little.
        data = stream.read(max_bytes + 1)
        if len(data) > max_bytes:
            size = max(os.fstat(stream.fileno()).st_size, len(data))
            what = f"has {size} bytes, more than the {max_bytes} allowed"
            raise OSError(errno.EFBIG, what, str(path))
    return data


def _refuse_special(path: Path) -> None:
    """Keep what is neither file nor folder: whoever may do anything would lose `/dev/null`."""
    try:
        kind = os.lstat(path).st_mode
    except OSError:
        return  # nothing there, or whoever writes is told
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind) or stat.S_ISLNK(kind)):
        raise InputError(Problem("is a device or a pipe", str(path), "name a file to write"))


@contextlib.contextmanager
def atomic_writer(path: Path, *, mode: int = 0o644, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary sibling of `path` for writing, and rename it there on success.

    On an error nothing is left behind and `path` is as it was.

    Args:
        path: where the content goes.
        mode: the permissions of a new file.
        durable: fsync the file and its folder, so that the content survives a power cut.

    Raises:
        InputError: a device, a pipe or a socket is there, which a file would replace.
    """
    _refuse_special(path)
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
        InputError: a folder or a device is there, or no file can be written there.
        LackingError: the disk is full.
    """
    if os.path.isdir(path):
        raise InputError(Problem("this is a folder", where=str(path), fix="name the file to write"))
    _refuse_special(path)
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
