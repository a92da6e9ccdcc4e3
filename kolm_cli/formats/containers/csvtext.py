"""CSV with a header. `images`, `answers`, `tags` and `boxes` may hold JSON."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from kolm_cli.core.errors import Problem
from kolm_cli.core.files import open_regular
from kolm_cli.formats.budget import MAX_COLUMNS, MAX_VALUES, BudgetError
from kolm_cli.formats.containers.json_values import MAX_RECORD
from kolm_cli.formats.containers.jsontext import line_of
from kolm_cli.formats.fields import RawRow, Table
from kolm_cli.formats.image_references import ImageReader
from kolm_cli.formats.targets import RowWriter, Target
from kolm_cli.formats.writing import CannotError, Exported
from kolm_cli.records.pictures import MAX_BYTES

# A cell may hold an image in base64.
_MAX_CELL = MAX_BYTES * 4 // 3 + 4096
_COLUMNS = (
    "image", "images", "system", "prompt", "response", "answers", "model", "tags", "time", "review",
)  # fmt: skip
# Columns whose cells are JSON when they begin like it.
_JSON_COLUMNS = (
    *("images", "answers", "tags", "messages", "conversations", "completion"),
    *("boxes", "objects"),
)


def read(path: Path, images: ImageReader, name: str) -> Iterator[RawRow | Problem]:
    """Every row by the line on which it begins; an empty cell is null."""
    csv.field_size_limit(_MAX_CELL)
    with open_regular(path) as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as stream:
        lines = _Lines(stream)
        reader = csv.reader(lines, strict=True)
        header: list[str] | None = None
        table: Table | None = None
        line = 1
        while True:
            where = f"{name}:{line}"
            try:
                cells = next(reader)
            except StopIteration:
                return
            except UnicodeDecodeError as error:
                yield Problem(f"not UTF-8: {error.reason}; stopped here", where=where)
                return
            except (csv.Error, BudgetError) as error:
                yield Problem(f"not CSV: {error}; stopped here", where=where)
                return
            line = reader.line_num + 1
            lines.begin()
            if not cells:
                continue
            if header is None:
                header = [cell.strip() for cell in cells]
                if len(header) > MAX_COLUMNS:
                    what = f"{len(header)} columns, more than the {MAX_COLUMNS} allowed"
                    yield Problem(what, where=where)
                    return
                twice = sorted(column for column, n in Counter(header).items() if n > 1)
                if twice:
                    yield Problem(f"the column {twice[0]!r} occurs twice", where=where)
                    return
                table = Table(name, tuple(header))
            elif len(cells) != len(header):
                yield Problem(
                    f"{len(cells)} cells, but the header has {len(header)} columns", where=where
                )
            else:
                yield _row(where, dict(zip(header, cells, strict=True)), images, table)


class _Lines:
    """The lines of a stream, while those of one row stay within bounds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._held = self._commas = 0

    def begin(self) -> None:
        """A row is complete."""
        self._held = self._commas = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._stream.readline(MAX_RECORD - self._held + 1)
        if not line:
            raise StopIteration
        self._held += len(line)
        self._commas += line.count(",")
        if self._held > MAX_RECORD or self._commas > MAX_VALUES:
            raise BudgetError("a row that is longer than any may be")
        return line


def _row(
    where: str, cells: dict[str, str], images: ImageReader, table: Table | None
) -> RawRow | Problem:
    record: dict[str, Any] = {}
    for column, cell in cells.items():
        record[column] = cell or None
        if column in _JSON_COLUMNS and cell[:1] in ("[", "{"):
            try:
                record[column] = json.loads(cell)
            except (ValueError, RecursionError) as error:
                return Problem(f"{column}: begins like JSON and is not: {error}", where=where)
    if "completion" in cells and cells.get("prompt", "").startswith("[{"):
        # Messages, beside a completion; by itself a prompt may be JSON that is asked about.
        with contextlib.suppress(ValueError, RecursionError):
            record["prompt"] = json.loads(cells["prompt"])
    return RawRow(where, record, images, table)


def writer(target: Target) -> RowWriter:
    """A table with a header."""
    return CSVTable(target)


class CSVTable:
    """CSV of kolm's rows; lists are JSON."""

    def __init__(self, target: Target) -> None:
        self._images = target.image_forms()
        self._shape = target.shape
        self._stream = target.path.open("w", encoding="utf-8", newline="\n")
        columns = (*_COLUMNS, "objects") if target.boxes else _COLUMNS
        self._writer = csv.DictWriter(self._stream, columns, quoting=csv.QUOTE_ALL)
        self._writer.writeheader()

    def write(self, pair: Exported) -> None:
        """Write one row."""
        record = self._shape.record(pair, self._images)
        if "\0" in line_of(record):
            raise CannotError("CSV has no place for a NUL character")
        self._writer.writerow(
            {k: line_of(v) if isinstance(v, list | dict) else v for k, v in record.items()}
        )

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
