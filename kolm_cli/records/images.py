"""Where the encoded bytes of an image are: in a row, or in a file that is read when needed."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kolm_cli.core import digests
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.files import read_regular
from kolm_cli.records.pictures import MAX_BYTES, ImageError, ImageFacts, inspect


class ImageSource(Protocol):
    """The encoded bytes of one image, wherever they are."""

    @property
    def path(self) -> Path | None:
        """The file that holds exactly these bytes, when there is one."""

    def read(self) -> bytes:
        """The bytes, whose SHA-256 is the name under which the image is known."""


@dataclass(frozen=True)
class BytesImage:
    """An image that was inside a row (base64, Parquet, a tar member)."""

    data: bytes

    @property
    def path(self) -> Path | None:
        """None: no file holds these bytes alone."""
        return None

    def read(self) -> bytes:
        """The bytes."""
        return self.data


@dataclass(frozen=True)
class PathImage:
    """An image in a file of the user's, read again when it is needed."""

    path: Path
    sha256: str

    def read(self) -> bytes:
        """The file's bytes.

        Raises:
            InputError: the file is gone, or no longer what it was when its row was read.
        """
        try:
            data = read_image_file(self.path)
        except ImageError as error:
            raise InputError(Problem(str(error), where=str(self.path))) from error
        if digests.sha256_bytes(data) != self.sha256:
            raise InputError(
                Problem("changed while it was being read", where=str(self.path), fix="run again")
            )
        return data


def read_image_file(path: Path) -> bytes:
    """The bytes of a regular file of at most `MAX_BYTES`.

    Raises:
        ImageError: missing, not a regular file (a FIFO or a device would hang or never end),
            not readable, or too large.
    """
    try:
        return read_regular(path, MAX_BYTES)
    except FileNotFoundError as error:
        raise ImageError(f"no such image file: {path}") from error
    except OSError as error:
        if error.errno == errno.EINVAL:  # Not a path, or no file that ends.
            raise ImageError(f"{error.strerror}: {path}") from error
        raise ImageError(f"cannot read the image file {path}: {error.strerror}") from error


@dataclass(frozen=True)
class StoredImage(PathImage):
    """An image in a store of kolm's own, where files are replaced and never written into."""


class ImageChecker:
    """Decodes each distinct image once, and remembers what was found."""

    def __init__(self, remember: int = 200_000) -> None:
        self._facts: dict[str, ImageFacts] = {}
        self._remember = remember

    def check(self, sha256: str, data: bytes) -> ImageFacts:
        """What `core.images.inspect` finds in `data`, whose digest is `sha256`.

        Raises:
            ImageError: see `core.images.inspect`.
        """
        facts = self._facts.get(sha256)
        if facts is None:
            facts = inspect(data)
            if len(self._facts) < self._remember:
                self._facts[sha256] = facts
        return facts


Images = Mapping[str, "ImageSource | bytes"]


def image_bytes(source: ImageSource | bytes) -> bytes:
    """The bytes of either form in which an image may be handed over."""
    return source if isinstance(source, bytes) else source.read()
