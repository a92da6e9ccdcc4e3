"""A Hugging Face `imagefolder`: images, and `metadata.jsonl` or `.csv` that names them.

https://huggingface.co/docs/datasets/image_dataset#imagefolder describes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from kolm_cli.core.errors import Problem
from kolm_cli.formats.containers import csvtext, jsontext, parquet
from kolm_cli.formats.containers.folder_files import files_named
from kolm_cli.formats.fields import RawRow, Table
from kolm_cli.formats.image_references import ImageReader
from kolm_cli.formats.targets import RowWriter, Target
from kolm_cli.formats.writing import Exported

NAMES = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
_READERS = {".jsonl": jsontext.read, ".csv": csvtext.read, ".parquet": parquet.read}


def read(path: Path, images: ImageReader, name: str) -> Iterator[RawRow | Problem]:
    """Every row of every metadata file; paths in it start from its own folder."""
    for file in files_named(path, NAMES.__contains__):
        if isinstance(file, Problem):
            yield file
            continue
        label = file.relative_to(path).as_posix()
        beside = images.starting_from(file.parent)
        table: Table | None = None
        for raw in _READERS[file.suffix](file, beside, label):
            if isinstance(raw, RawRow) and isinstance(raw.record, dict):
                renamed = {key: _name(key) for key in raw.record if _name(key) != key}
                record = {_name(key): value for key, value in raw.record.items()}
                if raw.table and table is None:
                    table = Table(label, tuple(map(_name, raw.table.columns)))
                raw = replace(raw, record=record, table=table, renamed=renamed)
            yield raw


def _name(key: str) -> str:
    """A column as `datasets` names it: `images_file_names` is `images`."""
    if key in ("file_name", "file_names"):
        return "image" if key == "file_name" else "images"
    return key.removesuffix("_file_names").removesuffix("_file_name")


def writer(target: Target) -> RowWriter:
    """A folder of images with `metadata.jsonl`."""
    return ImageFolder(target)


class ImageFolder(jsontext.JSONLines):
    """A folder of images with `metadata.jsonl`, as `datasets` reads it."""

    def __init__(self, target: Target) -> None:
        target.path.mkdir()
        super().__init__(replace(target, path=target.path / "metadata.jsonl", images_name="images"))
        self._one_image = target.one_image

    def write(self, pair: Exported) -> None:
        """Write one line, its images under the names that `datasets` looks for."""
        record = self._shape.record(pair, self._images)
        shown = record.pop("images", None)
        if shown is None:
            shown = [record.pop("image")]
        # Every line must have the same one of the two columns.
        names = {"file_name": shown[0]} if self._one_image else {"images_file_names": shown}
        self._stream.write(jsontext.line_of({**names, **record}) + "\n")
