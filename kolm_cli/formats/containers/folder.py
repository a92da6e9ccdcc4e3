"""A folder of data files: every `.jsonl` and `.csv` in it, with the images they name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kolm_cli.core.errors import Problem
from kolm_cli.formats.containers import csvtext, jsontext
from kolm_cli.formats.containers.folder_files import files_named
from kolm_cli.formats.fields import RawRow
from kolm_cli.formats.image_references import ImageReader

_READERS = {".jsonl": jsontext.read, ".ndjson": jsontext.read, ".csv": csvtext.read}


def read(path: Path, images: ImageReader, name: str) -> Iterator[RawRow | Problem]:
    """Every row of every data file directly in the folder."""
    for file in files_named(path, lambda name: Path(name).suffix in _READERS, below=False):
        if isinstance(file, Problem):
            yield file
        else:
            yield from _READERS[file.suffix](file, images, file.name)
