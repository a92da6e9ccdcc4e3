"""How rows refer to images: a path, a URI, base64, bytes, a PIL image, an archive's member."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from PIL import Image as PILImage

from kolm_cli.core import digests
from kolm_cli.core.errors import Problem
from kolm_cli.formats.kinds import kind_of
from kolm_cli.records.images import (
    BytesImage,
    ImageChecker,
    ImageSource,
    PathImage,
    read_image_file,
)
from kolm_cli.records.pictures import (
    MAX_BYTES,
    ImageError,
    ImageFacts,
    as_rgb,
    decode_rgb,
    encode_png,
)
from kolm_cli.records.spool import Spool

_DATA_URI = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.ASCII | re.IGNORECASE)
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]+=*\s*", re.ASCII)
# Longer than any path that an operating system opens.
_MAX_PATH = 4096
# Shorter is no image: the smallest GIF has 35 bytes.
_MIN_BASE64 = 44
_REMEMBERED_PATHS = 200_000
# How large an image is shown, in Qwen's row format.
WISHES = frozenset({"min_pixels", "max_pixels", "resized_height", "resized_width"})

# Gives an archive member's bytes by its name, or None when there is none of that name.
Members = Callable[[str], bytes | None]
Found = tuple[str, ImageSource, ImageFacts | None]


class Root:
    """The folder of a data set, and the images that its rows name elsewhere.

    Args:
        folder: the folder.
        confine: the option that asks to refuse images elsewhere; empty when they are read.

    Attributes:
        outside: images elsewhere that were read.
    """

    def __init__(self, folder: Path, *, confine: str = "") -> None:
        self.folder = folder
        self._real = os.path.realpath(folder)
        self._confine = confine
        self._seen: set[str] = set()
        self.outside = 0

    @property
    def summary(self) -> str:
        """A line about images elsewhere; "" when there are none."""
        folder = str(self.folder).rstrip("/")
        return f"{self.outside} images outside {folder}/" if self.outside else ""

    def holds(self, path: Path) -> bool:
        """Whether a file, all links followed, is in the folder."""
        return os.path.commonpath([self._real, os.path.realpath(path)]) == self._real

    def admit(self, path: Path) -> None:
        """Count an image elsewhere.

        Raises:
            ImageError: it is elsewhere, and such are refused.
        """
        if self.holds(path):
            return
        if self._confine:
            raise ImageError(f"{path} is outside {self.folder}, which {self._confine} refuses")
        real = os.path.realpath(path)
        if real not in self._seen:
            self.outside += 1
            if len(self._seen) < _REMEMBERED_PATHS:
                self._seen.add(real)

    def links_refused(self) -> Iterator[Problem]:
        """Links in the folder and below that lead elsewhere, where such are refused."""
        for path in self._links_out():
            what = f"a link that leads outside {self.folder}, which {self._confine} refuses"
            yield Problem(what, where=str(path))

    def forget(self) -> None:
        """Count anew."""
        self._seen.clear()
        self.outside = 0

    def _links_out(self) -> Iterator[Path]:
        if self._confine and self.folder.is_dir():
            for here, folders, files in os.walk(self.folder):
                for name in sorted((*folders, *files)):
                    path = Path(here, name)
                    if path.is_symlink() and not self.holds(path):
                        yield path


@dataclass(frozen=True)
class ImageReader:
    """Reads the images that rows of one file refer to.

    Attributes:
        folder: what relative paths start from.
        checker: decodes every image; None leaves them unchecked.
        members: looks names up in the archive that the rows came from, instead of in `folder`.
        strip: keep the pixels only: every image is written anew as PNG.
        root: the data set's folder, of which images may be outside; None where rows have none.
        paths: digests of files that were read before, by path, size, time and inode.
        spool: keeps images that are inside rows; in memory, each with its row, when None.
    """

    folder: Path
    checker: ImageChecker | None = None
    members: Members | None = None
    strip: bool = False
    root: Root | None = None
    paths: dict[Path, tuple[tuple[int, int, int], str]] = field(default_factory=dict)
    spool: Spool | None = None

    def starting_from(self, folder: Path) -> ImageReader:
        """The same, for rows of a file in `folder`."""
        return replace(self, folder=folder)

    def among(self, members: Members) -> ImageReader:
        """The same, for rows of an archive with these members."""
        return replace(self, members=members)

    def read(self, value: object) -> Found:
        """The image's SHA-256, its source, and what decoding found (when images are checked).

        Raises:
            ImageError: not a reference, nothing there, or not a readable image.
        """
        if isinstance(value, str):
            return self._from_text(value)
        if isinstance(value, bytes):
            return self._from_bytes(value)
        if isinstance(value, os.PathLike):
            return self._from_path(self.folder / value)
        if isinstance(value, PILImage.Image):
            # Read as a file of the same picture would be: upright, transparency over white.
            return self._from_bytes(encode_png(as_rgb(value)))
        if isinstance(value, Mapping):
            return self._from_mapping(value)
        raise ImageError(f"expected a path, a data URI or base64, found {kind_of(value)}")

    def _from_mapping(self, value: Mapping[str, Any]) -> Found:
        """`{"bytes": ..., "path": ...}`, as `datasets` writes images."""
        asked = sorted(key for key in WISHES & value.keys() if value[key] is not None)
        if asked:
            raise ImageError(
                f"asks for {asked[0]} within the image, which kolm reads beside it, in a part of a"
                " message"
            )
        data, path = value.get("bytes"), value.get("path")
        if isinstance(data, bytes):
            return self._from_bytes(data)
        if isinstance(data, str):
            return self._from_bytes(decode_base64(data))
        if isinstance(path, str):
            return self._from_text(path)
        raise ImageError("an object with neither bytes nor path")

    @staticmethod
    def is_inside(value: object) -> bool:
        """Whether a reference holds the image itself, as a data URI."""
        return isinstance(value, str) and _DATA_URI.match(value) is not None

    def _from_text(self, value: str) -> Found:
        if match := _DATA_URI.match(value):
            if not match[2].lower().endswith(";base64"):
                raise ImageError("a data URI that is not base64")
            return self._from_bytes(decode_base64(value[match.end() :]))
        if value[:7].lower() == "file://":
            value = _path_of(value)
        if _URL.match(value[:40]):
            raise ImageError(
                f"{value[:80]} is a URL; kolm does not download: fetch the image first"
            )
        if not value:
            raise ImageError("the reference is empty")
        if self.members is not None and len(value) <= _MAX_PATH:
            data = self.members(value)
            if data is not None:
                return self._from_bytes(data)
        if len(value) <= _MAX_PATH and "\0" not in value:
            path = self.folder / value
            if self.members is None and os.path.lexists(path):
                return self._from_path(path)
        if len(value) >= _MIN_BASE64 and _BASE64.fullmatch(value):
            return self._from_bytes(decode_base64(value))
        raise ImageError(f"no such image file: {value[:200]}")

    def _from_path(self, path: Path) -> Found:
        try:
            if self.root is not None:
                self.root.admit(path)
            status = path.stat()
        except OSError as error:
            raise ImageError(f"cannot read the image file {path}: {error.strerror}") from error
        except ValueError as error:
            if isinstance(error, ImageError):
                raise
            raise ImageError(f"no such image file: {path}") from error
        state = (status.st_size, status.st_mtime_ns, status.st_ino)
        known = self.paths.get(path)
        if known is not None and known[0] == state and self.checker is None and not self.strip:
            return known[1], PathImage(path, known[1]), None
        data = read_image_file(path)
        if self.strip:
            return self._from_bytes(data)
        sha256 = digests.sha256_bytes(data)
        if len(self.paths) < _REMEMBERED_PATHS:
            self.paths[path] = (state, sha256)
        return sha256, PathImage(path, sha256), self._check(sha256, data)

    def _from_bytes(self, data: bytes) -> Found:
        if self.strip:
            data = encode_png(decode_rgb(data))
        sha256 = digests.sha256_bytes(data)
        facts = self._check(sha256, data)
        return sha256, self.spool.keep(sha256, data) if self.spool else BytesImage(data), facts

    def _check(self, sha256: str, data: bytes) -> ImageFacts | None:
        return None if self.checker is None else self.checker.check(sha256, data)


def _path_of(uri: str) -> str:
    """The path that a `file://` URI names (RFC 8089).

    Raises:
        ImageError: not a URI, or it names a file of another machine.
    """
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise ImageError(f"{uri[:80]} is not a URI: {error}") from error
    if parts.netloc not in ("", "localhost"):
        raise ImageError(f"{uri[:80]} is a file on another machine")
    return unquote(parts.path)


def decode_base64(text: str) -> bytes:
    """Bytes of base64 text, whose lines may be folded.

    Raises:
        ImageError: not base64, or of more than `MAX_BYTES`.
    """
    if len(text) > MAX_BYTES * 4 // 3 + 4096:
        raise ImageError(f"more than the {MAX_BYTES} bytes allowed")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageError(f"damaged base64: {error}") from error
