"""Rows from Python: one more container of the same reader, whose images may be PIL images."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from kolm_cli.core.errors import InputError, Problem, raise_if_any
from kolm_cli.formats.columns import columns_of, wrong_in
from kolm_cli.formats.containers.hf_features import named
from kolm_cli.formats.fields import ImportedRow, RawRow, Table
from kolm_cli.formats.image_references import ImageReader, Root
from kolm_cli.formats.reader import read_row, recognise
from kolm_cli.formats.tables import Tables
from kolm_cli.records.row import Row
from kolm_cli.records.spool import Spool

# Rows by whose keys a mapping of columns is judged.
_LOOK_AHEAD = 20


def rows_from_python(
    rows: Iterable[Mapping[str, Any] | Row],
    columns: Mapping[str, Any] | None = None,
    confine: Path | str | None = None,
) -> list[Row]:
    """Turn mappings such as `{"image": …, "prompt": …, "response": …}` into rows.

    A mapping may have any shape that a file's records may have. Its images may be PIL images,
    paths (read when they are needed), bytes, base64 or data URIs. A row of `prompt` and
    `response` without an image says so with no key at all, or with `None`.

    Args:
        rows: the rows; a `datasets.Dataset` is one.
        columns: which keys hold what, where they do not have kolm's names; see `formats.columns`.
        confine: refuse image files outside of this folder.

    Raises:
        InputError: every row that cannot be read, by its index, and every key that kolm does
            not know.
    """
    raise_if_any(Problem(w.what, f"columns[{w.field!r}]", w.fix) for w in wrong_in(columns or {}))
    result: list[Row] = []
    problems: list[Problem] = []
    given_rows = _raw_rows(_rows_of(rows), confine)
    head = list(islice(given_rows, _LOOK_AHEAD))
    tables = Tables(columns_of(columns or {}), [r for r in head if isinstance(r, RawRow)], "rows")
    for given in chain(head, given_rows):
        if isinstance(given, Row):
            result.append(given)
            continue
        raw = tables.mapped(given)
        if isinstance(raw, RawRow):
            raw = _without_image(raw)
            shape = recognise([raw])
            raw = tables.admitted(raw, shape)
        if raw is None:
            continue
        found = [raw] if isinstance(raw, Problem) else read_row(raw, shape)
        if not isinstance(found, ImportedRow):
            problems += found
            continue
        unknown = [
            Problem(
                f"unknown key {key!r}", found.where, f"known are {', '.join(sorted(shape.keys))}"
            )
            for key in sorted(found.foreign)
        ]
        problems += unknown
        if not unknown and isinstance(raw, RawRow):
            result.append(found.as_row(str(raw.record.get("id", raw.where))))
    raise_if_any(problems)
    return result


def _features(rows: object) -> Mapping[str, Any]:
    """The features of a `datasets.Dataset`; empty for anything else."""
    found: object = getattr(getattr(rows, "features", None), "to_dict", dict)()
    return found if isinstance(found, Mapping) else {}


def _raw_rows(
    rows: Iterable[Mapping[str, Any] | Row], confine: Path | str | None
) -> Iterator[RawRow | Row]:
    """Every row as a file would give it."""
    root = None if confine is None else Root(Path(confine), confine="confine")
    images = ImageReader(Path.cwd(), root=root, spool=Spool())
    features = _features(rows)
    table = Table("rows", tuple(features), implied=("images",)) if features else None
    for index, given in enumerate(rows):
        if isinstance(given, Row):
            yield given
        else:
            record = given
            if isinstance(given, Mapping):
                record = {key: _plain(value) for key, value in named(given, features).items()}
            yield RawRow(f"rows[{index}]", record, images, table)


def _plain(value: Any) -> Any:
    """The value as a file would have it: pandas' and numpy's own forms are no more than others."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if type(value).__name__ == "ndarray" and value.ndim == 1 and value.dtype.kind in "OUT":
        return [_plain(item) for item in value.tolist()]
    return value


def _rows_of(rows: Any) -> Iterable[Mapping[str, Any] | Row]:
    """The rows, of a pandas table too.

    Raises:
        InputError: they are one mapping: columns, as it seems.
    """
    if isinstance(rows, Mapping):
        what = "expected rows, found a mapping of columns"
        raise InputError(Problem(what, "rows", "give datasets.Dataset.from_dict(rows)"))
    if hasattr(rows, "iterrows"):
        found: list[Mapping[str, Any]] = rows.to_dict("records")
        return found
    given: Iterable[Mapping[str, Any] | Row] = rows
    return given


def _without_image(raw: RawRow) -> RawRow:
    """The row, which says that it has no image where it names none."""
    record = raw.record
    if not isinstance(record, dict) or "prompt" not in record:
        return raw
    if record.get("image") is not None or record.get("images") is not None:
        return raw
    return replace(raw, record={**record, "images": []})
