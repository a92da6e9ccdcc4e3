"""Looking into Arrow's messages before their bodies are decoded.

A message is a FlatBuffers table. https://arrow.apache.org/docs/format/Columnar.html describes it,
Message.fbs and Schema.fbs of Arrow's `format` folder number the fields.
"""

from __future__ import annotations

import struct

_HEADER = 2  # Message.header
_COMPRESSION = 3  # RecordBatch.compression
_DATA = 1  # DictionaryBatch.data
_HEADER_TYPE = 1
_DICTIONARY, _RECORDS = 2, 3


def is_compressed(metadata: bytes) -> bool:
    """Whether the body of the message with this metadata is compressed.

    Raises:
        ValueError: not a message.
    """
    try:
        (root,) = struct.unpack_from("<I", metadata)
        kind_at = _field(metadata, root, _HEADER_TYPE)
        kind = metadata[kind_at] if kind_at else 0
        table = _table(metadata, root, _HEADER)
        if table and kind == _DICTIONARY:
            table = _table(metadata, table, _DATA)
        if not table or kind not in (_DICTIONARY, _RECORDS):
            return False
        return bool(_field(metadata, table, _COMPRESSION))
    except (struct.error, IndexError) as error:
        raise ValueError("a damaged Arrow message") from error


def _field(data: bytes, table: int, number: int) -> int:
    """Where a table has a field, 0 where it has none."""
    (back,) = struct.unpack_from("<i", data, table)
    names = table - back
    (size,) = struct.unpack_from("<H", data, names)
    at = 4 + 2 * number
    if at + 2 > size:
        return 0
    (offset,) = struct.unpack_from("<H", data, names + at)
    return table + offset if offset else 0


def _table(data: bytes, table: int, number: int) -> int:
    """Where the table is that a field refers to, 0 where it has none."""
    at = _field(data, table, number)
    return at + int(struct.unpack_from("<I", data, at)[0]) if at else 0
