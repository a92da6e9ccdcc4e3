"""Reads a bundle's ZIP in one forward pass, and lets nothing pass that kolm would not write.

The archive's directory is at its end, and readers that trust it can be shown other files than
readers that walk from the front. So this one walks from the front, builds the directory that these
files must have, and compares it with the bytes that are there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from kolm_cli.bundle.container.zip_differences import explain_directory, explain_local
from kolm_cli.bundle.container.zip_records import (
    CENTRAL_MAGIC,
    END_MAGIC,
    LOCAL_MAGIC,
    LOCAL_SIZE,
    ZipEntry,
    directory,
    local_header,
    parse_local,
)
from kolm_cli.bundle.format import layout
from kolm_cli.core.errors import InputError, Problem, VerificationError
from kolm_cli.core.files import open_regular

BUFFER = 1 << 18
MAX_NAME_BYTES = 160
_SEGMENT = re.compile(r"[a-z0-9][a-z0-9._-]*", re.ASCII)


class ContainerError(VerificationError):
    """The file is not an archive as kolm writes it."""


class ByteSink(Protocol):
    """Takes the content of one file, piece by piece, while it is read."""

    def write(self, data: memoryview) -> None:
        """The next piece; the memory is reused afterwards."""

    def close(self) -> None:
        """The content was whole."""


@dataclass(frozen=True)
class Scanned:
    """A file of the archive and the hex SHA-256 of its content."""

    entry: ZipEntry
    sha256: str


SinkFor = Callable[[str, int], ByteSink | None]
# Told how many bytes were read, in the middle of large files.
Told = Callable[[int], None]


@contextlib.contextmanager
def open_file(path: Path) -> Iterator[BinaryIO]:
    """Open a bundle for reading.

    Raises:
        InputError: there is no such file, or it is a folder, a device or a pipe.
    """
    try:
        stream = open_regular(path, buffering=0)
    except FileNotFoundError as error:
        fix = "check the path; `kolm ls` lists the bundles in the local registry"
        raise InputError(Problem("there is no such file", str(path), fix)) from error
    except OSError as error:
        what, fix = f"cannot be read: {error.strerror}", "name a .kolm file that you may read"
        raise InputError(Problem(what, str(path), fix)) from error
    with stream:
        yield stream


class _Forward:
    """Reads exactly what is asked for, and counts."""

    def __init__(self, stream: BinaryIO, told: Told | None) -> None:
        self._stream, self._told = stream, told
        self.size = os.fstat(stream.fileno()).st_size
        self.offset = 0
        self._buffer = bytearray(BUFFER)

    @property
    def left(self) -> int:
        return self.size - self.offset

    def pieces(self, count: int) -> Iterator[memoryview]:
        view = memoryview(self._buffer)
        while count:
            got = self._stream.readinto(view[: min(count, BUFFER)])  # type: ignore[attr-defined]
            if not got:
                raise ContainerError(f"ends at byte {self.offset}, in the middle of something")
            self.offset += got
            count -= got
            yield view[:got]
            if self._told is not None and got == BUFFER:
                self._told(self.offset)

    def take(self, count: int) -> bytes:
        return b"".join(bytes(piece) for piece in self.pieces(count))


def scan(stream: BinaryIO, sink_for: SinkFor, told: Told | None = None) -> list[Scanned]:
    """Read the whole archive once.

    Args:
        stream: the open file, at its start.
        sink_for: path and size of a file to what takes its content, or None to only hash it.
        told: told how far reading is, in the middle of large files.

    Raises:
        ContainerError: the first thing that is not as kolm writes it.
    """
    reader = _Forward(stream, told)
    if reader.size > layout.MAX_BUNDLE_BYTES:
        raise ContainerError(f"has {reader.size} bytes; a bundle has less than 4 GiB")
    found: list[Scanned] = []
    names: set[str] = set()
    while True:
        magic = reader.take(min(4, reader.left))
        if magic != LOCAL_MAGIC:
            break
        if len(found) == layout.MAX_ENTRIES:
            raise ContainerError(f"holds more than {layout.MAX_ENTRIES} files")
        entry = _entry(reader, magic)
        if entry.name in names:
            raise ContainerError(f"holds {entry.name} twice")
        names.add(entry.name)
        found.append(Scanned(entry, _content(reader, entry, sink_for(entry.name, entry.size))))
    if magic not in (CENTRAL_MAGIC, END_MAGIC):
        where = reader.offset - len(magic)
        kind = "" if where else "it is no .kolm file: "
        raise ContainerError(f"{kind}byte {where} begins neither a file nor the directory of a ZIP")
    if not found:
        raise ContainerError("holds no files")
    _directory(reader, magic, [item.entry for item in found])
    return found


def _entry(reader: _Forward, magic: bytes) -> ZipEntry:
    offset = reader.offset - len(magic)
    fixed = magic + reader.take(LOCAL_SIZE - len(magic))
    crc32, size, name_length, _ = parse_local(fixed)
    if not 0 < name_length <= MAX_NAME_BYTES:
        raise ContainerError(f"the name at byte {offset} has {name_length} bytes")
    raw = reader.take(name_length)
    entry = ZipEntry(_checked_name(raw), size, crc32, offset)
    expected = local_header(entry)
    if fixed + raw != expected:
        raise ContainerError(f"{entry.name}: {explain_local(fixed, expected)}")
    if size > reader.left:
        raise ContainerError(f"{entry.name}: says it has {size} bytes; {reader.left} are left")
    kind = layout.kind_of(entry.name)
    if kind is not None and size > kind.max_bytes:
        raise ContainerError(f"{entry.name}: {size} bytes; at most {kind.max_bytes} are allowed")
    return entry


def _checked_name(raw: bytes) -> str:
    """The name, when it is one that every system reads alike."""
    shown = ascii(raw.decode("utf-8", "backslashreplace"))[:100]
    if b"\0" in raw:
        raise ContainerError(f"the name {shown} holds a NUL")
    if b"\\" in raw:
        raise ContainerError(f"the name {shown} holds a backslash")
    if raw.startswith(b"/"):
        raise ContainerError(f"the name {shown} is absolute")
    if raw.endswith(b"/"):
        raise ContainerError(f"{shown} is a folder; a bundle holds files only")
    segments = raw.split(b"/")
    if b".." in segments or b"." in segments or b"" in segments:
        raise ContainerError(f"the name {shown} leads elsewhere")
    if not all(_SEGMENT.fullmatch(segment.decode("latin-1")) for segment in segments):
        raise ContainerError(f"the name {shown} is not of a-z 0-9 . _ - alone")
    return raw.decode("ascii")


def _content(reader: _Forward, entry: ZipEntry, sink: ByteSink | None) -> str:
    digest = hashlib.sha256()
    crc32 = 0
    for piece in reader.pieces(entry.size):
        digest.update(piece)
        crc32 = zlib.crc32(piece, crc32)
        if sink is not None:
            sink.write(piece)
    if crc32 != entry.crc32:
        raise ContainerError(f"{entry.name}: the content does not have the CRC of its header")
    if sink is not None:
        sink.close()
    return digest.hexdigest()


def _directory(reader: _Forward, magic: bytes, entries: list[ZipEntry]) -> None:
    expected = directory(entries)
    # Bounded: what cannot be right is not read whole.
    actual = magic + reader.take(min(reader.left, len(expected) + BUFFER))
    if actual != expected or reader.left:
        raise ContainerError(explain_directory(actual, expected, entries))
