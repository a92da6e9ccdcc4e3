"""The blobs of a registry: files named by the SHA-256 of what they hold."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from kolm_cli.core import digests
from kolm_cli.core.errors import Problem, VerificationError
from kolm_cli.core.files import sync_folder
from kolm_cli.registry.workspace import Lease


class Blobs:
    """A folder `blobs/sha256`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        """Where the blob with this hex digest is, or would be."""
        return self.folder / sha256

    def holds(self, sha256: str, size: int) -> bool:
        """Whether the blob is there and is what its name says: read whole, not believed."""
        path = self.path(sha256)
        try:
            return path.stat().st_size == size and digests.sha256_file(path) == sha256
        except FileNotFoundError:
            return False

    def put(
        self, sha256: str, size: int, content: Callable[[], Iterable[bytes]], lease: Lease
    ) -> bool:
        """Store a blob; `sync` makes its name survive a power cut. A damaged one is replaced.

        Args:
            sha256: the hex digest that the content must have.
            size: the bytes that it must have.
            content: called for the content when the blob is not there yet.
            lease: the running command's.

        Returns:
            Whether it had to be written.

        Raises:
            VerificationError: the content is not what was announced.
        """
        if self.holds(sha256, size):
            return False
        temporary = lease.temporary()
        with temporary.open("xb") as stream:
            for piece in checked(content(), sha256, size, temporary.name):
                stream.write(piece)
        self.adopt(temporary, sha256)
        return True

    def adopt(self, temporary: Path, sha256: str) -> None:
        """Take over a file whose content was checked."""
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(self.path(sha256))

    def sync(self) -> None:
        """Make the names of all blobs put so far survive a power cut."""
        sync_folder(self.folder)

    def chunks(self, sha256: str, size: int) -> Iterator[bytes]:
        """A blob in pieces, checked while it is read.

        Raises:
            VerificationError: it is missing; or, at its end, it is not what its name says.
        """
        path = self.path(sha256)
        try:
            stream = path.open("rb")
        except FileNotFoundError as error:
            raise _damaged("is missing", path) from error
        with stream:
            yield from checked(iter(lambda: stream.read(digests.CHUNK), b""), sha256, size, path)

    def read(self, sha256: str, size: int) -> bytes:
        """A whole blob, for those that are small."""
        return b"".join(self.chunks(sha256, size))

    def names(self) -> list[str]:
        """Every file in the folder."""
        with contextlib.suppress(FileNotFoundError):
            return sorted(path.name for path in self.folder.iterdir())
        return []


def checked(pieces: Iterable[bytes], sha256: str, size: int, where: Path | str) -> Iterator[bytes]:
    """Pass pieces on, and fail at the first byte too many or when the whole is not right.

    Raises:
        VerificationError: size or digest differ.
    """
    digest = hashlib.sha256()
    count = 0
    for piece in pieces:
        count += len(piece)
        if count > size:
            raise _damaged(f"has more than the {size} bytes that it should", where)
        digest.update(piece)
        yield piece
    if count != size:
        raise _damaged(f"has {count} bytes, not {size}", where)
    if digest.hexdigest() != sha256:
        raise _damaged(f"has the SHA-256 {digest.hexdigest()}, not {sha256}", where)


def _damaged(what: str, where: Path | str) -> VerificationError:
    return VerificationError(Problem(what, str(where)), hint="kolm registry check")
