"""Rows from Python: one more container of the same reader, whose images may be PIL images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kolm_cli.core.errors import Problem, raise_if_any
from kolm_cli.formats.containers.hf_features import named
from kolm_cli.formats.fields import ImportedRow, RawRow
from kolm_cli.formats.image_references import ImageReader
from kolm_cli.formats.reader import read_row, recognise
from kolm_cli.records.row import Row


def rows_from_python(rows: Iterable[Mapping[str, Any] | Row]) -> list[Row]:
    """Turn mappings such as `{"image": …, "prompt": …, "response": …}` into rows.

    A mapping may have any shape that a file's records may have. Its images may be PIL images,
    paths (read when they are needed), bytes, base64 or data URIs. A row of `prompt` and
    `response` without an image says so with no key at all, or with `None`.

    Raises:
        InputError: every row that cannot be read, by its index, and every key that kolm does
            not know.
    """
    result: list[Row] = []
    problems: list[Problem] = []
    images = ImageReader(Path.cwd())
    features = _features(rows)
    for index, given in enumerate(rows):
        if isinstance(given, Row):
            result.append(given)
            continue
        raw = RawRow(f"rows[{index}]", _record(given, features), images)
        shape = recognise([raw])
        found = read_row(raw, shape)
        if not isinstance(found, ImportedRow):
            problems += found
            continue
        unknown = [
            Problem(f"unknown key {key!r}", raw.where, f"known are {', '.join(sorted(shape.keys))}")
            for key in sorted(found.foreign)
        ]
        problems += unknown
        if not unknown:
            result.append(found.as_row(str(raw.record.get("id", raw.where))))
    raise_if_any(problems)
    return result


def _features(rows: object) -> Mapping[str, Any]:
    """The features of a `datasets.Dataset`; empty for anything else."""
    found: object = getattr(getattr(rows, "features", None), "to_dict", dict)()
    return found if isinstance(found, Mapping) else {}


def _record(given: object, features: Mapping[str, Any]) -> object:
    """The record as a file would have it: a dictionary that says whether it has images."""
    if not isinstance(given, Mapping):
        return given
    record = named(given, features)
    if "prompt" in record and record.get("image") is None and record.get("images") is None:
        record["images"] = []
    return record
