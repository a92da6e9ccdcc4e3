"""Parquet with the images inside, and the features that `datasets` looks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kolm_cli.core.errors import LackingError, Problem
from kolm_cli.formats.fields import Shape
from kolm_cli.formats.shapes.writing import Exported, ImageForms
from kolm_cli.formats.writers.images import StoredImages

_ROWS_A_GROUP = 100
_BYTES_A_GROUP = 64 * 1024 * 1024


class Parquet:
    """Rows of TRL's `messages` and `images`; memory holds one row group."""

    def __init__(self, path: Path, images: StoredImages, shape: Shape) -> None:
        try:
            import pyarrow as pa  # type: ignore[import-untyped]
            import pyarrow.parquet as pq  # type: ignore[import-untyped]
        except ImportError as error:
            raise LackingError(
                Problem("writing Parquet needs the package pyarrow"),
                hint="pip install 'kolm-cli[capture]'",
            ) from error
        self._pa = pa
        self._shape = shape
        self._stored = images
        # References are bare digests here; `write` puts the bytes in their place.
        self._forms = ImageForms(str, images.read, images.media_type)
        self._schema = _schema(pa)
        self._writer = pq.ParquetWriter(path, self._schema)
        self._rows: list[dict[str, Any]] = []
        self._held = 0

    def write(self, pair: Exported) -> None:
        """Take one row; full groups are written."""
        record = self._shape.render(pair, self._forms)
        record["images"] = [
            {"bytes": self._stored.read(sha256), "path": f"{sha256}.{self._stored.suffix(sha256)}"}
            for sha256 in record["images"]
        ]
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


def _schema(pa: Any) -> Any:
    text = pa.string()
    part = pa.struct([("type", text), ("text", text)])
    message = pa.struct([("role", text), ("content", pa.list_(part))])
    image = pa.struct([("bytes", pa.binary()), ("path", text)])
    value = {"dtype": "string", "_type": "Value"}
    texts = {"feature": value, "_type": "List"}
    features = {
        "messages": {
            "feature": {
                "role": value,
                "content": {"feature": {"type": value, "text": value}, "_type": "List"},
            },
            "_type": "List",
        },
        "images": {"feature": {"_type": "Image"}, "_type": "List"},
        "answers": texts,
        "model": value,
        "tags": texts,
        "time": value,
        "review": value,
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
        ],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
