"""Writes the ZIP of a bundle: the same content gives the same bytes, and nothing is guessed."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from kolm_cli.bundle.container.zip_records import ZipEntry, directory, local_header
from kolm_cli.bundle.format import layout
from kolm_cli.core.digests import CHUNK
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.files import atomic_writer, open_regular

Source = Path | bytes


@dataclass(frozen=True)
class Measured:
    """What is known of a file before it is written.

    Attributes:
        size: bytes.
        crc32: CRC-32 of its content.
        sha256: hex SHA-256 of its content.
    """

    size: int
    crc32: int
    sha256: str


def _chunks(source: Source) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with open_regular(source) as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def measure(source: Source) -> Measured:
    """Read a file once, without holding it, for what its header and the manifest say of it."""
    size = crc32 = 0
    digest = hashlib.sha256()
    for chunk in _chunks(source):
        size += len(chunk)
        crc32 = zlib.crc32(chunk, crc32)
        digest.update(chunk)
    return Measured(size, crc32, digest.hexdigest())


def write_archive(
    out: Path, files: Mapping[str, Source], measured: Mapping[str, Measured] | None = None
) -> None:
    """Write `files` in the order of the layout, whole or not at all.

    Args:
        out: the archive to write.
        files: path in the archive to content.
        measured: what is known of some of them already, so that they are read once less.

    Raises:
        InputError: a path is not on the allow list, a file is too large or changed meanwhile.
    """
    known = dict(measured or {})
    for path in files:
        known.setdefault(path, measure(files[path]))
    _check({path: known[path].size for path in files})
    with atomic_writer(out) as stream:
        entries: list[ZipEntry] = []
        offset = 0
        for path in sorted(files, key=layout.sort_key):
            facts = known[path]
            entry = ZipEntry(path, facts.size, facts.crc32, offset)
            stream.write(local_header(entry))
            _copy(files[path], facts, path, stream)
            entries.append(entry)
            offset = entry.data_offset + entry.size
        stream.write(directory(entries))


def _copy(source: Source, facts: Measured, path: str, out: BinaryIO) -> None:
    digest = hashlib.sha256()
    for chunk in _chunks(source):
        digest.update(chunk)
        out.write(chunk)
    if digest.hexdigest() != facts.sha256:
        raise InputError(Problem("changed while the bundle was written", path))


def _check(sizes: Mapping[str, int]) -> None:
    problems = []
    total = kept = 0
    for path, size in sizes.items():
        kind = layout.kind_of(path)
        total += size + 2 * len(path) + 100
        kept += size if kind is not None and kind.kept else 0
        if kind is None:
            problems.append(Problem("is not a file that a bundle may hold", path))
        elif size > kind.max_bytes:
            problems.append(Problem(f"has {size} bytes; at most {kind.max_bytes} fit", path))
    if total > layout.MAX_BUNDLE_BYTES:
        problems.append(Problem(f"{total} bytes do not fit into a bundle of less than 4 GiB"))
    if kept > layout.MAX_KEPT_BYTES:
        problems.append(Problem(f"{kept} bytes of JSON; a bundle holds {layout.MAX_KEPT_BYTES}"))
    if len(sizes) > layout.MAX_ENTRIES:
        problems.append(Problem(f"{len(sizes)} files; a bundle holds {layout.MAX_ENTRIES}"))
    if problems:
        raise InputError(*problems)
