"""What `datasets` says of its columns beside them: the names of class labels.

https://huggingface.co/docs/datasets/about_dataset_features describes the features.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

_LISTS = ("List", "LargeList", "Sequence")
_NARROW = {"float": "float32", "halffloat": "float16"}
# Rows that are Python objects at a time, and the bytes that they may have: each may hold images.
_ROWS = 64
_BYTES = 4 * 1024 * 1024


def features_of(metadata: Mapping[bytes, bytes] | None) -> Mapping[str, Any]:
    """The features in the metadata of an Arrow schema; empty when `datasets` wrote none."""
    try:
        found = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def records_of(batches: Any, features: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every row of Arrow record batches; class labels are their names.

    A column's null is kept; what is null within it is left out, as Arrow gives every object of a
    column the same keys.

    Raises:
        pyarrow.ArrowInvalid: a batch is damaged.
    """
    for batch in batches:
        # Offsets of a damaged file would be followed out of its memory.
        batch.validate(full=True)
        few = rows_at_once(batch.nbytes, batch.num_rows)
        narrow = [field.name for field in batch.schema if str(field.type) in _NARROW]
        for start in range(0, batch.num_rows, few):
            for record in batch.slice(start, few).to_pylist():
                for key in narrow:
                    record[key] = _shortest(record[key], str(batch.schema.field(key).type))
                yield {key: _without_nulls(v) for key, v in named(record, features).items()}


def rows_at_once(size: int, rows: int) -> int:
    """How many rows to have in memory, of a table of so many bytes and rows."""
    return max(1, min(_ROWS, _BYTES * max(1, rows) // max(1, size)))


def named(record: Mapping[str, Any], features: Mapping[str, Any]) -> dict[str, Any]:
    """The record with the names of its class labels instead of their numbers."""
    return {
        key: _named(value, features[key]) if key in features else value
        for key, value in record.items()
    }


def _named(value: Any, feature: Any) -> Any:
    if isinstance(feature, list) and len(feature) == 1:
        feature = {"_type": "List", "feature": feature[0]}
    if not isinstance(feature, Mapping) or value is None:
        return value
    kind = feature.get("_type")
    if kind == "ClassLabel":
        names = feature.get("names")
        if not isinstance(value, int) or not isinstance(names, list) or value >= len(names):
            return value
        # -1 is how `datasets` says that there is no label.
        return names[value] if value >= 0 else None
    if kind in _LISTS and isinstance(value, list):
        return [_named(item, feature.get("feature")) for item in value]
    if isinstance(value, dict) and not isinstance(kind, str):
        return named(value, feature)
    return value


def _shortest(value: float | None, kind: str) -> float | None:
    """The number with the digits that its column has: 0.1, and not 0.10000000149011612."""
    import numpy as np

    return None if value is None else float(str(np.dtype(_NARROW[kind]).type(value)))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _without_nulls(item) for key, item in value.items() if item is not None}
        # An object of nulls is how some writers spell null.
        return kept or (None if value else kept)
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
