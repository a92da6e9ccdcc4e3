"""A folder of data files: every `.jsonl` and `.csv` in it, with the images they name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kolm_cli.core.errors import Problem
from kolm_cli.formats.containers import csvtext, jsontext
from kolm_cli.formats.fields import RawRow
from kolm_cli.formats.image_references import ImageReader

_READERS = {".jsonl": jsontext.read, ".ndjson": jsontext.read, ".csv": csvtext.read}


def data_files(path: Path) -> list[Path]:
    """The data files directly in the folder."""
    return sorted(f for f in path.iterdir() if f.suffix in _READERS and f.is_file())


def read(path: Path, images: ImageReader, name: str) -> Iterator[RawRow | Problem]:
    """Every row of every file."""
    for file in data_files(path):
        yield from _READERS[file.suffix](file, images, file.name)
