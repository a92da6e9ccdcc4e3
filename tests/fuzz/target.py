"""What a target of `make fuzz` is, and the good samples that several share.

A target returns or raises a `KolmError` (or the error that its parser documents), within a few
seconds of a processor and a bounded amount of memory. Anything else is a finding.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from unittest.mock import patch

from hypothesis import strategies as st
from PIL import Image

from kolm_cli.bundle.signing import keys
from kolm_cli.core.errors import KolmError
from kolm_cli.formats.reader import RowReader
from tests.bundle import factory
from tests.bundle.forge import files_of

# Rows of a damaged file that are looked at.
ROWS = 200


@dataclass(frozen=True)
class Target:
    """One parser.

    Attributes:
        name: what `make fuzz` calls it.
        samples: good inputs.
        inputs: makes hostile ones of them.
        feed: gives one to the parser.
        raises: what it may raise.
    """

    name: str
    samples: Callable[[], Sequence[bytes]]
    inputs: Callable[[Sequence[bytes]], st.SearchStrategy[bytes]]
    feed: Callable[[bytes], object]
    raises: tuple[type[Exception], ...] = (KolmError,)


@lru_cache
def bundles() -> tuple[dict[str, bytes], ...]:
    """The files of two good bundles, `""` for the whole archive."""
    made = []
    with tempfile.TemporaryDirectory() as folder:
        for include in ("answers", "digests"):
            path = Path(folder) / f"{include}.kolm"
            factory.make_bundle(path, keys.generate(), files=factory.make_files(include=include))
            made.append({**files_of(path), "": path.read_bytes()})
    return tuple(made)


def parts(*paths: str) -> Callable[[], Sequence[bytes]]:
    """These files of the good bundles."""
    return lambda: [files[path] for files in bundles() for path in paths if path in files]


def in_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """Feeds a file of this name."""

    def feed(data: bytes) -> object:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(data)
            return read(path)

    return feed


@contextlib.contextmanager
def empty_home() -> Iterator[Path]:
    """An empty home of kolm."""
    with tempfile.TemporaryDirectory() as name, patch.dict(os.environ, {"KOLM_HOME": name}):
        yield Path(name)


def rows(path: Path) -> object:
    """Read a file or a folder of rows, as one from a stranger."""
    return list(itertools.islice(RowReader(path, confine="--confine"), ROWS))


def png(mode: str = "RGB", kind: str = "PNG") -> bytes:
    """A small picture."""
    stream = io.BytesIO()
    Image.new(mode, (9, 7), 1).save(stream, kind)
    return stream.getvalue()
