"""Whether a folder is what a bundle exports to: every file is made again and compared."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.core import digests
from kolm_cli.core.files import open_regular
from kolm_cli.export.base import Format, Source
from kolm_cli.export.folder import manifest_of, write_file
from kolm_cli.export.manifest import NAME, Entry, ExportManifest


@dataclass(frozen=True)
class Comparison:
    """What was found.

    Attributes:
        to: the format.
        digest: of `kolm-export.json`.
        files: how many files the export has.
        differ: files with other content.
        missing: files that are not there.
        unknown: files that no export has.
        version: the version of kolm that wrote the folder, where it is another one.
    """

    to: str
    digest: str
    files: int
    differ: tuple[str, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    version: str = ""

    @property
    def same(self) -> bool:
        """Whether the folder is exactly what the bundle gives."""
        return not (self.differ or self.missing or self.unknown)

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        lists = {name: list(getattr(self, name)) for name in ("differ", "missing", "unknown")}
        return {"to": self.to, "digest": self.digest, "same": self.same, **lists}

    def said(self) -> str:
        """In one line."""
        if self.same:
            return f"{self.to}: all {self.files} files are what the bundle gives"
        kinds = (("differ", self.differ), ("missing", self.missing), ("unknown", self.unknown))
        found = [f"{kind}: {', '.join(names[:5])}" for kind, names in kinds if names]
        if self.version:
            found.append(f"it was written by kolm {self.version}, and this is another version")
        return f"{self.to}: " + "; ".join(found)


def compare(
    folder: Path, said: ExportManifest, source: Source, form: Format, work: Path
) -> Comparison:
    """Make every file of an export again, one at a time, and hold it against the folder.

    Args:
        folder: the exported folder.
        said: its manifest, as it was read.
        source: the bundle and its base.
        form: the format that the manifest names.
        work: an empty folder for one file at a time.
    """
    differ, missing, expected = [], [], {}
    source.progress.stage(f"make {form.name} again")
    for number, file in enumerate(form.files(source), 1):
        place = work / "file"
        expected[file.path] = wanted = write_file(file, place)
        place.unlink()
        found = _entry(folder / file.path, link=wanted.link)
        if found is None:
            missing.append(file.path)
        elif found != wanted:
            differ.append(file.path)
        source.progress.advance(number)
    version = "" if said.kolm == (own := manifest_of(source, form, expected)).kolm else said.kolm
    if said != own and not version:
        differ.append(NAME)
    unknown = sorted(set(_files(folder)) - {*expected, NAME})
    return Comparison(
        said.to, said.digest, len(expected), tuple(differ), tuple(missing), tuple(unknown), version
    )


def _entry(path: Path, *, link: bool) -> Entry | None:
    """What is at a place; a link where none should be is another file."""
    if not os.path.lexists(path):
        return None
    try:
        with open_regular(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            return Entry(size, digests.sha256_stream(stream), link=path.is_symlink())
    except OSError:
        return Entry(0, "", link=link)


def _files(folder: Path) -> Iterator[str]:
    """Every file below the folder; links to folders are not followed."""
    for where, folders, names in os.walk(folder):
        linked = [name for name in folders if (Path(where) / name).is_symlink()]
        for name in (*names, *linked):
            yield (Path(where) / name).relative_to(folder).as_posix()
