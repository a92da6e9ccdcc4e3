"""Parquet with image bytes inside and the features of `datasets`; a folder of files is read too."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kolm_cli.core.child_process import items_of_child
from kolm_cli.core.errors import LackingError, Problem
from kolm_cli.core.files import open_regular
from kolm_cli.formats.budget import Budget, BudgetError, check_columns
from kolm_cli.formats.containers.folder_files import files_named
from kolm_cli.formats.containers.hf_features import features_of, records_of, rows_at_once
from kolm_cli.formats.containers.jsontext import line_of
from kolm_cli.formats.fields import RawRow, Table
from kolm_cli.formats.image_references import ImageReader
from kolm_cli.formats.targets import RowWriter, Target
from kolm_cli.formats.writing import CannotError, Exported, ImageForms

# Rows that a file may have beyond one for each of its bytes.
_FREE_ROWS = 1_000_000
# Values that one column of a row group may have: these, or so many for each row.
_FREE_VALUES = 4_000_000
_VALUES_A_ROW = 32
_ROWS_A_GROUP = 100
# What reading takes beside what a file may become.
_FREE_MEMORY = 256 * 1024 * 1024
_FAULTS = (MemoryError, OSError, ValueError, OverflowError, RecursionError)
_BYTES_A_GROUP = 64 * 1024 * 1024


def read(path: Path, images: ImageReader, name: str) -> Iterator[RawRow | Problem]:
    """Every row by its number, counted from 1; one row group is in memory at a time."""
    for file in files_named(path, _is_parquet) if path.is_dir() else [path]:
        if isinstance(file, Problem):
            yield file
            continue
        label = file.relative_to(path).as_posix() if path.is_dir() else name
        yield from _file(file, images, label)


def _is_parquet(name: str) -> bool:
    return name.endswith(".parquet")


def pyarrow(doing: str, where: str = "") -> tuple[Any, Any]:
    """The modules `pyarrow` and `pyarrow.parquet`.

    Raises:
        LackingError: they are not installed.
    """
    try:
        import pyarrow as pa  # type: ignore[import-untyped]
        import pyarrow.parquet as pq  # type: ignore[import-untyped]
    except ImportError as error:
        raise LackingError(
            Problem(f"{doing} needs the package pyarrow", where=where),
            hint="pip install 'kolm-cli[capture]'",
        ) from error
    return pa, pq


def _file(path: Path, images: ImageReader, name: str) -> Iterator[RawRow | Problem]:
    pa, _ = pyarrow("reading Parquet", name)
    number = 0
    try:
        with open_regular(path) as raw:
            budget = Budget.of(raw)
        # Pages may hold more than the footer says, and a few bytes may stand for many values.
        records = items_of_child(lambda: _records(path), _FREE_MEMORY + 2 * budget.bytes)
        with contextlib.closing(records):
            table = Table(name, tuple(next(records, ())))
            for record in records:
                number += 1
                yield RawRow(f"{name}:{number}", record, images, table)
    except (pa.ArrowException, *_FAULTS) as error:
        yield Problem(f"not readable as Parquet: {error}; stopped here", f"{name}:{number + 1}")


def _records(path: Path) -> Iterator[Any]:
    """The names of the columns, then every record."""
    _, pq = pyarrow("reading Parquet")
    with open_regular(path) as raw, pq.ParquetFile(raw, pre_buffer=False) as file:
        budget = Budget.of(raw)
        _check_cost(file.metadata, budget)
        # Without these two, what was read of the file stays in memory.
        few = rows_at_once(budget.size, file.metadata.num_rows)
        batches = file.iter_batches(batch_size=few, use_threads=False)
        yield file.schema_arrow.names
        yield from budget.timed(records_of(batches, features_of(file.schema_arrow.metadata)))


def _check_cost(metadata: Any, budget: Budget) -> None:
    """Raise `BudgetError` when what the footer says is out of proportion to the file."""
    check_columns(metadata.num_columns)
    if metadata.num_rows > _FREE_ROWS + budget.size:
        raise BudgetError(f"{metadata.num_rows} rows in a file of {budget.size} bytes")
    total = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for index in range(metadata.num_columns):
            column = group.column(index)
            total += max(0, column.total_uncompressed_size)
            budget.check_bytes(total)
            # One row may hold a list of all of them.
            most = max(_FREE_VALUES, _VALUES_A_ROW * group.num_rows)
            if column.num_values > most:
                raise BudgetError(
                    f"{column.num_values} values in a column of {group.num_rows} rows"
                )


def writer(target: Target) -> RowWriter:
    """One file with the images inside."""
    return ParquetFile(target)


class ParquetFile:
    """Rows of TRL's `messages` and `images`; memory holds one row group."""

    def __init__(self, target: Target) -> None:
        pa, pq = pyarrow("writing Parquet")
        self._pa = pa
        self._shape = target.shape
        self._stored = images = target.images
        # References are bare digests here; `write` puts the bytes in their place.
        self._forms = ImageForms(str, images.read, images.media_type)
        self._schema = _schema(pa, weights=target.weights, boxes=target.boxes)
        self._writer = pq.ParquetWriter(target.path, self._schema)
        self._rows: list[dict[str, Any]] = []
        self._held = 0

    def write(self, pair: Exported) -> None:
        """Take one row; full groups are written."""
        if any(pair.conversation.wishes) and not pair.lossy:
            raise CannotError("parquet has no place for the size of an image")
        record = self._shape.record(pair, self._forms)
        record["images"] = [
            {"bytes": self._stored.read(sha256), "path": f"{sha256}.{self._stored.suffix(sha256)}"}
            for sha256 in record["images"]
        ]
        if "objects" in record:
            # The lists in it differ in length from row to row, which a struct cannot say.
            record["objects"] = line_of(record["objects"])
        self._held += sum(len(image["bytes"]) for image in record["images"])
        self._rows.append(record)
        if len(self._rows) >= _ROWS_A_GROUP or self._held >= _BYTES_A_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(self._pa.Table.from_pylist(self._rows, schema=self._schema))
            self._rows, self._held = [], 0

    def close(self) -> None:
        """Write the last group and the footer."""
        self._flush()
        self._writer.close()


def _schema(pa: Any, *, weights: bool, boxes: bool) -> Any:
    text = pa.string()
    part = pa.struct([("type", text), ("text", text)])
    weight = [("weight", pa.int8())] if weights else []
    message = pa.struct([("role", text), ("content", pa.list_(part)), *weight])
    image = pa.struct([("bytes", pa.binary()), ("path", text)])
    value = {"dtype": "string", "_type": "Value"}
    texts = {"feature": value, "_type": "List"}
    features = {
        "messages": {
            "feature": {
                "role": value,
                "content": {"feature": {"type": value, "text": value}, "_type": "List"},
                **({"weight": {"dtype": "int8", "_type": "Value"}} if weights else {}),
            },
            "_type": "List",
        },
        "images": {"feature": {"_type": "Image"}, "_type": "List"},
        "answers": texts,
        "model": value,
        "tags": texts,
        "time": value,
        "review": value,
        **({"objects": value} if boxes else {}),
    }
    return pa.schema(
        [
            ("messages", pa.list_(message)),
            ("images", pa.list_(image)),
            ("answers", pa.list_(text)),
            ("model", text),
            ("tags", pa.list_(text)),
            ("time", text),
            ("review", text),
            *([("objects", text)] if boxes else []),
        ],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
