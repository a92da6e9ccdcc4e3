"""WebDataset: tar archives whose members belong together by name; one file or a folder of shards.

Members are read from the archive as it streams by. Nothing is ever written to disk under a
name that an archive gives.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from kolm_cli.core.errors import Problem
from kolm_cli.core.files import open_regular
from kolm_cli.formats.budget import MAX_ENTRIES, MIB, BoundedStream, Budget, BudgetError
from kolm_cli.formats.containers import grouped
from kolm_cli.formats.containers.folder_files import files_named
from kolm_cli.formats.fields import RawRow
from kolm_cli.formats.image_references import ImageReader
from kolm_cli.formats.targets import RowWriter, Target
from kolm_cli.records.pictures import MAX_BYTES

# A sample's members are in memory together.
_MAX_SAMPLE = 8 * MAX_BYTES
# What a stream reads ahead, and the headers of one member.
_HEADERS = 4 * MIB


def read(path: Path, images: ImageReader, name: str) -> Iterator[RawRow | Problem]:
    """A row for each sample, in the archive's order."""
    for file in files_named(path, _is_shard) if path.is_dir() else [path]:
        if isinstance(file, Problem):
            yield file
            continue
        label = file.relative_to(path).as_posix() if path.is_dir() else name
        try:
            with open_regular(file) as raw:
                budget = Budget.of(raw)
                yield from budget.timed(_archive(raw, budget, images, label))
        except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
            yield Problem(f"not readable as a tar archive: {error}; stopped here", where=label)
        except RecursionError:
            what = "not readable as a tar archive: a chain of headers; stopped here"
            yield Problem(what, where=label)


def _is_shard(name: str) -> bool:
    return name.endswith((".tar", ".tar.gz", ".tgz"))


def _archive(
    raw: BinaryIO, budget: Budget, images: ImageReader, label: str
) -> Iterator[RawRow | Problem]:
    packed = raw.read(2) == b"\x1f\x8b"
    raw.seek(0)
    opened: Any = gzip.GzipFile(fileobj=raw) if packed else raw
    stream: Any = BoundedStream(opened, _HEADERS)
    most = budget.bytes if packed else budget.size
    # "r|" never seeks: what a header says of other places is not followed.
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        yield from _samples(archive, _members(archive, stream, most), images, label)


def _members(
    archive: tarfile.TarFile, stream: BoundedStream, most: int
) -> Iterator[tarfile.TarInfo]:
    """Every member, while there is room for what its header says in `most` bytes."""
    count = 0
    kept: list[tarfile.TarInfo] = vars(archive)["members"]
    while (member := archive.next()) is not None:
        kept.clear()  # the archive would keep them all
        count += 1
        end = member.offset_data + max(0, member.size)
        if end > most:
            raise BudgetError(f"a member of {member.size} bytes, which cannot be in this archive")
        if count > MAX_ENTRIES:
            raise BudgetError(f"more than {MAX_ENTRIES} members")
        stream.cap = end + _HEADERS
        yield member


def _samples(
    archive: tarfile.TarFile, found: Iterator[tarfile.TarInfo], images: ImageReader, name: str
) -> Iterator[RawRow | Problem]:
    key = ""
    members: dict[str, bytes] = {}
    held = 0
    done: set[str] = set()
    for member in found:
        where = f"{name}:{member.name[:200]}"
        if member.isdir():
            continue
        if not member.isreg() or member.issparse():
            what = "a sparse file" if member.issparse() else "a link or a device"
            yield Problem(f"{what}, which kolm does not follow", where=where)
            continue
        this, rest = grouped.key_of(member.name)
        if this != key:
            if members:
                yield _sample(key, members, images, name)
            done.add(key)
            key, members, held = this, {}, 0
            if key in done:
                yield Problem("the members of a sample are not together", where=where)
        if rest in members:
            yield Problem("occurs twice in the archive", where=where)
            continue
        held += member.size
        if member.size > MAX_BYTES or held > _MAX_SAMPLE:
            yield Problem(f"more than the {MAX_BYTES} bytes allowed", where=where)
            continue
        stream = archive.extractfile(member)
        members[rest] = stream.read() if stream else b""
    if members:
        yield _sample(key, members, images, name)


def _sample(
    key: str, members: dict[str, bytes], images: ImageReader, name: str
) -> RawRow | Problem:
    where = f"{name}:{key}"
    base = key.rpartition("/")[2]
    shown = sorted((rest for rest in members if grouped.is_image(rest)), key=grouped.natural)
    texts = {rest: data for rest, data in members.items() if grouped.is_text(rest)}
    record = members.get("json")
    if record is None and not texts:
        return Problem("has neither a .json nor texts", where=where)
    # A record may name its images by their members' names.
    by_name = {f"{base}.{rest}": members[rest] for rest in shown}
    inside = images.among(by_name.get)
    return grouped.assemble(where, inside, record, [f"{base}.{rest}" for rest in shown], texts)


def writer(target: Target) -> RowWriter:
    """One archive of numbered members."""
    return TarArchive(target)


class TarArchive(grouped.Numbered):
    """A WebDataset archive: plain files, the same bytes for the same pairs."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._archive = tarfile.open(target.path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115

    def member(self, name: str, data: bytes) -> None:
        """Add one member, without the time and the user's name."""
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o644
        self._archive.addfile(info, io.BytesIO(data))

    def close(self) -> None:
        """End the archive."""
        self._archive.close()
