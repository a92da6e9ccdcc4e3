"""Says in which field an archive differs from the one that kolm would write."""

from __future__ import annotations

from typing import Final

from kolm_cli.bundle.container.zip_records import CENTRAL_MAGIC, END_MAGIC, ZipEntry

Field = tuple[str, int, int]  # what it is called, its offset, its bytes

_LOCAL: Final[tuple[Field, ...]] = (
    ("the version needed", 4, 2),
    ("the flags", 6, 2),
    ("the compression method", 8, 2),
    ("the time", 10, 2),
    ("the date", 12, 2),
    ("the CRC", 14, 4),
    ("the compressed size", 18, 4),
    ("the size", 22, 4),
    ("the length of the name", 26, 2),
    ("the length of the extra field", 28, 2),
)
_CENTRAL: Final[tuple[Field, ...]] = (
    ("the version made by", 4, 2),
    *((name, offset + 2, size) for name, offset, size in _LOCAL),
    ("the length of the comment", 32, 2),
    ("the disk number", 34, 2),
    ("the internal attributes", 36, 2),
    ("the mode", 38, 4),
    ("the offset of the file", 42, 4),
)
_END: Final[tuple[Field, ...]] = (
    ("the disk number", 4, 2),
    ("the disk of the directory", 6, 2),
    ("the count of files on this disk", 8, 2),
    ("the count of files", 10, 2),
    ("the size of the directory", 12, 4),
    ("the offset of the directory", 16, 4),
    ("the length of the comment", 20, 2),
)
_CENTRAL_SIZE = 46
_END_SIZE = 22


def _number(data: bytes, offset: int, size: int) -> int:
    return int.from_bytes(data[offset : offset + size], "little")


def _difference(actual: bytes, expected: bytes, fields: tuple[Field, ...]) -> str:
    for name, offset, size in fields:
        got, wanted = _number(actual, offset, size), _number(expected, offset, size)
        if got != wanted:
            return f"{name} is {got:#x}, not {wanted:#x}{_meaning(name, got)}"
    return "the name differs"


def _meaning(name: str, got: int) -> str:
    if name == "the flags":
        if got & 8:
            return ": a data descriptor follows"
        if got & 1:
            return ": encrypted"
    if name == "the compression method":
        return ": compressed; a bundle's files are stored"
    if name == "the mode":
        return ": a symbolic link" if got >> 28 == 0xA else ": not a plain file, rw-r--r--"
    if got == 0xFFFFFFFF:
        return ": a ZIP64 placeholder"
    return ""


def explain_local(actual: bytes, expected: bytes) -> str:
    """What is wrong with the header before a file."""
    return f"in its header {_difference(actual, expected, _LOCAL)}"


def explain_directory(actual: bytes, expected: bytes, entries: list[ZipEntry]) -> str:
    """What is wrong with everything after the last file.

    Args:
        actual: what is there, or the beginning of it.
        expected: what kolm would have written there.
        entries: the files as their own headers describe them.
    """
    at = 0
    for entry in entries:
        size = _CENTRAL_SIZE + len(entry.name)
        record, wanted = actual[at : at + size], expected[at : at + size]
        if not record.startswith(CENTRAL_MAGIC):
            return f"the directory does not list {entry.name}"
        if record != wanted:
            return f"the directory and the file disagree: {entry.name}: " + (
                "cut short" if len(record) < size else _difference(record, wanted, _CENTRAL)
            )
        at += size
    rest, wanted = actual[at:], expected[at:]
    if rest.startswith(CENTRAL_MAGIC):
        return "the directory lists a file that is not there"
    if rest.startswith(b"PK\x06\x06"):
        return "holds a ZIP64 end record"
    if not rest.startswith(END_MAGIC) or len(rest) < _END_SIZE:
        return f"no end record after the directory, but {rest[:4]!r}"
    if rest[:_END_SIZE] != wanted:
        return f"in the end record {_difference(rest, wanted, _END)}"
    return f"{len(rest) - _END_SIZE} bytes or more follow the end of the archive"
