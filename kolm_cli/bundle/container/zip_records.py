"""The bytes of a bundle's ZIP: one function a record, used to write it and to rebuild it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

LOCAL_MAGIC = b"PK\x03\x04"
CENTRAL_MAGIC = b"PK\x01\x02"
END_MAGIC = b"PK\x05\x06"
LOCAL_SIZE = 30
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")

_NEEDED = 10  # version 1.0: stored files, no folders
_MADE_BY = (3 << 8) | 20  # Unix, so that the mode below means something
_DATE = (1 << 5) | 1  # 1980-01-01, the first day that a ZIP knows
_ATTRIBUTES = 0o100644 << 16  # a regular file, rw-r--r--


@dataclass(frozen=True)
class ZipEntry:
    """One stored file.

    Attributes:
        name: its path.
        size: bytes.
        crc32: the CRC-32 of its content.
        offset: where its local header starts, bytes from the start of the archive.
    """

    name: str
    size: int
    crc32: int
    offset: int

    @property
    def data_offset(self) -> int:
        """Where its content starts."""
        return self.offset + LOCAL_SIZE + len(self.name)


def local_header(entry: ZipEntry) -> bytes:
    """The header before an entry's content, including its name."""
    name = entry.name.encode("ascii")
    sizes = (entry.crc32, entry.size, entry.size)
    return _LOCAL.pack(LOCAL_MAGIC, _NEEDED, 0, 0, 0, _DATE, *sizes, len(name), 0) + name


def parse_local(fixed: bytes) -> tuple[int, int, int, int]:
    """CRC-32, size, length of the name and length of the extra field, as a header claims them."""
    fields = _LOCAL.unpack(fixed)
    return fields[6], fields[8], fields[9], fields[10]


def directory(entries: list[ZipEntry]) -> bytes:
    """The central directory and the end record of an archive with these entries."""
    records = []
    for entry in entries:
        name = entry.name.encode("ascii")
        records.append(
            _CENTRAL.pack(
                CENTRAL_MAGIC,
                _MADE_BY,
                _NEEDED,
                *(0, 0, 0, _DATE),
                *(entry.crc32, entry.size, entry.size),
                *(len(name), 0, 0, 0, 0),
                *(_ATTRIBUTES, entry.offset),
            )
            + name
        )
    central = b"".join(records)
    start = entries[-1].data_offset + entries[-1].size if entries else 0
    count = len(entries)
    return central + _END.pack(END_MAGIC, 0, 0, count, count, len(central), start, 0)
