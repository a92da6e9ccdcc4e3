"""What is known of the pictures of a data set: each is decoded once, by several processes."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import PIL

from kolm_cli.core.errors import KolmError
from kolm_cli.core.memo import Memo
from kolm_cli.dataset.decoders import Decoders, Looked, decoders, look
from kolm_cli.records.images import ImageSource
from kolm_cli.records.pictures import ImageError
from kolm_cli.records.row import Row

# Raised by hand when images are read in another way.
READING = 2
# Images that are decoded ahead of the row that is looked at, for each process.
_AHEAD = 4


@dataclass(frozen=True)
class Picture:
    """What decoding an image found.

    Attributes:
        pixels: the SHA-256 of the decoded, upright picture: equal for equal pictures in any file.
        width: pixels across.
        height: pixels down.
        looks: what near-duplicates are found by.
    """

    pixels: str
    width: int
    height: int
    looks: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height


class PictureBook:
    """Pictures by the SHA-256 of their encoded bytes. Memory: 500 bytes a picture.

    Args:
        memo: what earlier runs found; nothing is remembered when None.

    Attributes:
        decoded: how many were decoded.
    """

    def __init__(self, memo: Memo | None = None) -> None:
        self._memo = memo
        self._known: dict[str, Picture] = {}
        self._begun: dict[str, Future[Looked]] = {}
        self.decoded = 0

    def of(self, sha256: str, source: ImageSource) -> Picture:
        """What is known of an image, which is decoded when nobody has.

        Raises:
            ImageError: it cannot be read.
            KolmError: its file is gone, or was changed.
        """
        found = self._lookup(sha256, source)
        if found is None:
            begun = self._begun.pop(sha256, None)
            looked = look(source) if begun is None else begun.result()
            if len(looked) == 1:
                raise ImageError(str(looked[0]))
            found = self._found(sha256, looked)
            self.decoded += 1
            if self._memo is not None:
                self._memo.put(_key(sha256), looked)
        return found

    def pixels_of(self, sha256: str, source: ImageSource) -> str:
        """The digest of the pixels; `sha256` itself when the image cannot be read."""
        try:
            return self.of(sha256, source).pixels
        except (ImageError, KolmError, OSError):
            return sha256  # Whoever reads the row names it.

    def looks_of(self, sha256: str, source: ImageSource) -> str:
        """What near-duplicates are found by; "" when the image cannot be read."""
        try:
            return self.of(sha256, source).looks
        except (ImageError, KolmError, OSError):
            return ""

    def reading(self, rows: Sequence[Row]) -> Iterator[Row]:
        """The rows in their order, while the images of the next ones are decoded."""
        wanted = {
            sha256: source
            for row in rows
            for sha256, source in row.images.items()
            if self._lookup(sha256, source) is None
        }
        with decoders(len(wanted)) as helpers:
            waiting: deque[Row] = deque()
            ahead = 0 if helpers is None else helpers.count * _AHEAD
            coming = iter(rows)
            while True:
                for row in itertools.islice(coming, ahead + 1 - len(waiting)):
                    self._begin(row, wanted, helpers)
                    waiting.append(row)
                if not waiting:
                    return
                yield waiting.popleft()

    def _begin(self, row: Row, wanted: dict[str, ImageSource], helpers: Decoders | None) -> None:
        for sha256 in row.images:
            source = wanted.pop(sha256, None)
            if source is not None and helpers is not None:
                self._begun[sha256] = helpers.submit(source)

    def _lookup(self, sha256: str, source: ImageSource) -> Picture | None:
        if sha256 in self._known:
            return self._known[sha256]
        if self._memo is None or (source.path is not None and not source.path.is_file()):
            return None
        return self._remembered(sha256, self._memo.get(_key(sha256)))

    def _remembered(self, sha256: str, looked: Any) -> Picture | None:
        """What the memo has of an image; None where that is of no use."""
        kinds = [type(value) for value in looked] if isinstance(looked, list | tuple) else []
        return self._found(sha256, looked) if kinds == [str, int, int, str] else None

    def _found(self, sha256: str, looked: Looked) -> Picture:
        pixels, width, height, looks = looked
        self._known[sha256] = Picture(str(pixels), int(width), int(height), str(looks))
        return self._known[sha256]


def _key(sha256: str) -> str:
    return f"picture/{READING}/{PIL.__version__}/{sha256}"
