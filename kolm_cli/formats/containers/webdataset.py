"""WebDataset: tar archives whose members belong together by name; one file or a folder of shards.

Members are read from the archive as it streams by. Nothing is ever written to disk under a
name that an archive gives.
"""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from kolm_cli.core.errors import Problem
from kolm_cli.formats.containers import grouped
from kolm_cli.formats.fields import RawRow
from kolm_cli.formats.image_references import ImageReader
from kolm_cli.formats.targets import RowWriter, Target
from kolm_cli.records.pictures import MAX_BYTES

# A sample's members are in memory together.
_MAX_SAMPLE = 8 * MAX_BYTES


def read(path: Path, images: ImageReader, name: str) -> Iterator[RawRow | Problem]:
    """A row for each sample, in the archive's order."""
    files = shards(path) if path.is_dir() else [path]
    for file in files:
        label = file.relative_to(path).as_posix() if path.is_dir() else name
        try:
            # "r|*" never seeks: what a header says of other places is not followed.
            with tarfile.open(file, "r|*") as archive:
                yield from _samples(archive, images, label)
        except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
            yield Problem(f"not readable as a tar archive: {error}; stopped here", where=label)


def shards(path: Path) -> list[Path]:
    """The archives in a folder."""
    return sorted(f for f in path.rglob("*") if f.name.endswith((".tar", ".tar.gz", ".tgz")))


def _samples(
    archive: tarfile.TarFile, images: ImageReader, name: str
) -> Iterator[RawRow | Problem]:
    key = ""
    members: dict[str, bytes] = {}
    held = 0
    done: set[str] = set()
    for member in archive:
        where = f"{name}:{member.name[:200]}"
        if member.isdir():
            continue
        if not member.isreg():
            yield Problem("a link or a device, which kolm does not follow", where=where)
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
