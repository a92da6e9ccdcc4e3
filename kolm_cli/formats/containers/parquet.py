"""Parquet, with image bytes inside, as `datasets` writes it; one file or a folder of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kolm_cli.core.errors import LackingError, Problem
from kolm_cli.formats.fields import RawRow
from kolm_cli.formats.image_references import ImageReader

_BATCH = 32


def read(path: Path, images: ImageReader, name: str) -> Iterator[RawRow | Problem]:
    """Every row by its number, counted from 1; a few rows are in memory at a time."""
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    for file in files:
        label = file.relative_to(path).as_posix() if path.is_dir() else name
        yield from _file(file, images, label)


def _file(path: Path, images: ImageReader, name: str) -> Iterator[RawRow | Problem]:
    try:
        import pyarrow as pa  # type: ignore[import-untyped]
        import pyarrow.parquet as pq  # type: ignore[import-untyped]
    except ImportError as error:
        raise LackingError(
            Problem("reading Parquet needs the package pyarrow", where=name),
            hint="pip install 'kolm-cli[capture]'",
        ) from error
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                for record in batch.to_pylist():
                    number += 1
                    yield RawRow(f"{name}:{number}", without_nulls(record), images)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        yield Problem(f"not readable as Parquet: {error}; stopped here", f"{name}:{number + 1}")


def without_nulls(value: Any) -> Any:
    """Leave out keys that are null: Arrow gives every object of a column the same keys."""
    if isinstance(value, dict):
        # An image's bytes and path: one of them is usually null, and none is to be searched.
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value
