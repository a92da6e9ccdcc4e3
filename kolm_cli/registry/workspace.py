"""Who is at work in a registry: one lock for its index, and a lease for each running command.

Locks are `flock`s: the kernel releases them when a process ends, however it ends. A lease lists
the blobs that its holder relies on. It is written under the same lock that a collection holds, so
a collection either sees it, or is over before the holder looks at which blobs are there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from kolm_cli.core.errors import LackingError, Problem

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_ACCESS = (errno.EACCES, errno.EPERM, errno.EROFS)
_DIGESTS = "digests"


class Lease:
    """What one running command relies on, and its private folder for temporary files."""

    def __init__(self, workspace: Workspace, folder: Path) -> None:
        self._workspace = workspace
        self._folder = folder

    def protect(self, digests: Iterable[str]) -> None:
        """Keep these blobs (hex digests) from collection until the lease ends."""
        with self._workspace.locked():
            self.note(digests)

    def note(self, digests: Iterable[str]) -> None:
        """The same, for who holds the lock already."""
        with (self._folder / _DIGESTS).open("a") as stream:
            stream.writelines(f"{digest}\n" for digest in digests)

    def temporary(self) -> Path:
        """A new path for a file that is to be renamed into place."""
        return self._folder / secrets.token_hex(8)


class Workspace:
    """The folder in a registry that is kolm's own; the rest is as the OCI specification says."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._leases = folder / "leases"

    def prepare(self) -> None:
        """Make the folders."""
        self._leases.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the one lock, for as short as possible."""
        with (self._folder / "lock").open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def lease(self) -> Iterator[Lease]:
        """Be at work while the block lasts."""
        folder = self._leases / f"{os.getpid()}-{secrets.token_hex(6)}"
        with contextlib.ExitStack() as stack:
            with self.locked():
                folder.mkdir(mode=0o700)
                stream = stack.enter_context((folder / _DIGESTS).open("a"))
                fcntl.flock(stream, fcntl.LOCK_EX)
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            yield Lease(self, folder)

    def leased(self) -> set[str]:
        """The blobs that running commands rely on. Call it with the lock held."""
        found: set[str] = set()
        for folder in filter(_alive, self._folders()):
            with contextlib.suppress(FileNotFoundError):
                # A lease that ends just now has put what it made into the index, or nothing.
                found.update((folder / _DIGESTS).read_text().split())
        return found

    def abandoned(self) -> list[Path]:
        """The folders of commands that were killed. Call it with the lock held."""
        return [folder for folder in self._folders() if not _alive(folder)]

    def sweep(self, *, dry_run: bool = False) -> int:
        """Remove what killed commands left; returns its bytes. Call it with the lock held.

        A command that ends just now removes its own folder, without the lock: what is listed here
        may be gone before it is looked at.
        """
        size = 0
        for folder in self.abandoned():
            with contextlib.suppress(FileNotFoundError):
                for file in list(folder.iterdir()):
                    size += remove_file(file, dry_run=dry_run) or 0
                if not dry_run:
                    folder.rmdir()
        return size

    def _folders(self) -> list[Path]:
        try:
            return sorted(self._leases.iterdir())
        except FileNotFoundError:
            return []


def remove_file(path: Path, *, dry_run: bool = False) -> int | None:
    """Remove a file; returns the bytes it had, None when it was gone already."""
    try:
        size = path.stat().st_size
        if not dry_run:
            path.unlink()
    except FileNotFoundError:
        return None
    return size


def _alive(folder: Path) -> bool:
    try:
        stream = (folder / _DIGESTS).open("r")
    except FileNotFoundError:
        # Killed between the folder and the file, which happen under the lock; or just over.
        return False
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextlib.contextmanager
def storage_errors(folder: Path) -> Iterator[None]:
    """Say of a full or forbidden disk what it is.

    Raises:
        LackingError: there is no room in `folder`, or it may not be written.
    """
    try:
        yield
    except OSError as error:
        where = str(error.filename or folder)
        if error.errno in _NO_ROOM:
            raise LackingError(
                Problem(f"no space is left: {error.strerror}", where),
                hint="free some space (`kolm gc`); the same command again continues",
            ) from error
        if error.errno in _NO_ACCESS:
            raise LackingError(
                Problem(f"may not be written: {error.strerror}", where),
                hint="say with KOLM_HOME where kolm may keep things",
            ) from error
        raise
