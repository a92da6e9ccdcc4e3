"""Images that were inside rows, on disk instead of in memory.

A file of 10 GB of images must not need 10 GB of memory to be read: the first few images are held,
the others are files in a private folder, which goes when nobody holds its images any more.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from dataclasses import dataclass, field
from pathlib import Path

from kolm_cli.core.errors import InputError, LackingError, Problem
from kolm_cli.core.home import private_folder
from kolm_cli.records.images import BytesImage

# Bytes that are held in memory: enough for every image of a small data set.
HELD_BYTES = 8 * 1024 * 1024


class Spool:
    """Keeps images; those beyond the first `held_bytes` in files under `$KOLM_HOME/tmp`."""

    def __init__(self, held_bytes: int = HELD_BYTES) -> None:
        self._room = held_bytes
        self._held: dict[str, BytesImage] = {}
        self._folder: Path | None = None
        self._written: set[bytes] = set()

    def keep(self, sha256: str, data: bytes) -> BytesImage | SpooledImage:
        """The image with this digest, wherever it is kept.

        Raises:
            LackingError: the disk is full, or cannot be written.
        """
        if sha256 in self._held:
            return self._held[sha256]
        name = bytes.fromhex(sha256)
        if name not in self._written:
            if len(data) <= self._room:
                self._room -= len(data)
                self._held[sha256] = BytesImage(data)
                return self._held[sha256]
            self._write(sha256, data)
            self._written.add(name)
        return SpooledImage(self._place() / sha256, sha256, self)

    def _place(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="images-", dir=private_folder("tmp")))
            weakref.finalize(self, _remove, self._folder, os.getpid())
        return self._folder

    def _write(self, sha256: str, data: bytes) -> None:
        try:
            (self._place() / sha256).write_bytes(data)
        except OSError as error:
            raise LackingError(
                Problem(
                    f"images of the data cannot be put aside there: {error.strerror}",
                    where=str(self._folder or "$KOLM_HOME/tmp"),
                ),
                hint="free some space, or set KOLM_HOME",
            ) from error


def _remove(folder: Path, owner: int) -> None:
    # A data worker is a copy of this process, and must not take the images away from it.
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class SpooledImage:
    """An image in a spool's folder.

    Attributes:
        file: the file, which nobody writes into.
        sha256: its digest.
        spool: what keeps the folder.
    """

    file: Path
    sha256: str
    spool: Spool = field(repr=False, compare=False)

    @property
    def path(self) -> Path | None:
        """None: no file of the user's holds these bytes alone."""
        return None

    def read(self) -> bytes:
        """The bytes.

        Raises:
            InputError: somebody removed the file.
        """
        try:
            return self.file.read_bytes()
        except OSError as error:
            what = f"an image that was put aside cannot be read: {error.strerror}"
            raise InputError(Problem(what, where=str(self.file), fix="run again")) from error
