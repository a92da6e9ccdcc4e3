"""A bundle that is open for reading: its files by name, hashed again as they are read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from kolm_cli.bundle.checks import container, files
from kolm_cli.bundle.checks import manifest as manifest_check
from kolm_cli.bundle.checks.base import Case
from kolm_cli.bundle.container.zip_reader import BUFFER, Scanned, open_file
from kolm_cli.bundle.contents import BundleContents, read_contents
from kolm_cli.bundle.format.manifest import Manifest
from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.core.errors import Problem, VerificationError


class Bundle:
    """An intact bundle: its archive, manifest and digests hold. Who signed it is not looked at.

    Use it as a context; it keeps one descriptor open, from which everything is read.
    """

    def __init__(
        self, path: Path, stream: BinaryIO, contents: BundleContents, stack: ExitStack
    ) -> None:
        self.path = path
        self._stream = stream
        self._contents = contents
        self._stack = stack

    def __enter__(self) -> Bundle:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def manifest(self) -> Manifest:
        """The manifest."""
        return self._contents.manifest

    @property
    def contents(self) -> BundleContents:
        """What the pass over the file left."""
        return self._contents

    @property
    def cid(self) -> str:
        """The CID."""
        return self.manifest.cid

    @property
    def names(self) -> tuple[str, ...]:
        """Every path, in the archive's order."""
        return tuple(self._contents.files)

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return self._scanned(name).entry.size

    def sha256(self, name: str) -> str:
        """Hex SHA-256 of a file."""
        return self._scanned(name).sha256

    def read(self, name: str, max_bytes: int) -> bytes:
        """A whole file.

        Raises:
            VerificationError: it is not there, larger than `max_bytes`, or changed meanwhile.
        """
        if self.size(name) > max_bytes:
            raise VerificationError(Problem(f"has more than {max_bytes} bytes", name))
        return b"".join(self.stream(name))

    def stream(self, name: str) -> Iterator[bytes]:
        """A file in pieces.

        Raises:
            VerificationError: it is not there, or, at its end, it changed meanwhile.
        """
        item = self._scanned(name)
        digest = hashlib.sha256()
        position, end = item.entry.data_offset, item.entry.data_offset + item.entry.size
        while position < end:
            piece = os.pread(self._stream.fileno(), min(BUFFER, end - position), position)
            if not piece:
                break
            digest.update(piece)
            position += len(piece)
            yield piece
        if digest.hexdigest() != item.sha256:
            raise VerificationError(Problem("changed while it was read", f"{self.path}: {name}"))

    def _scanned(self, name: str) -> Scanned:
        if name not in self._contents.files:
            raise VerificationError(Problem(f"has no {name}", str(self.path)))
        return self._contents.files[name]


def open_bundle(path: Path) -> Bundle:
    """Open a bundle, checking its archive, manifest and every digest.

    Raises:
        InputError: there is no such file.
        VerificationError: it is damaged.
    """
    with ExitStack() as stack:
        stream = stack.enter_context(open_file(path))
        contents = read_contents(stream)
        case = Case(contents, TrustPolicy(), datetime.now(UTC))
        for check in (container.CHECK, manifest_check.CHECK, files.CHECK):
            try:
                outcome = check.run(case)
            except VerificationError as error:
                raise VerificationError(
                    *(Problem(str(p), f"{path}: {check.name}") for p in error.problems)
                ) from error
            if not outcome.ok:
                raise VerificationError(
                    Problem(outcome.detail, f"{path}: {check.name}"), hint=f"kolm verify {path}"
                )
        return Bundle(path, stream, contents, stack.pop_all())
