"""A folder of `name.png` beside `name.json`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kolm_cli.core.errors import Problem
from kolm_cli.formats.containers import grouped
from kolm_cli.formats.containers.folder_files import files_named
from kolm_cli.formats.containers.json_values import MAX_RECORD
from kolm_cli.formats.fields import RawRow
from kolm_cli.formats.image_references import ImageReader
from kolm_cli.formats.targets import RowWriter, Target


def read(path: Path, images: ImageReader, name: str) -> Iterator[RawRow | Problem]:
    """A row for each name, in the order of names; an image without its JSON is a problem."""
    groups: dict[str, list[tuple[str, Path]]] = {}
    for file in files_named(path, _is_member):
        if isinstance(file, Problem):
            yield file
        else:
            key, rest = grouped.key_of(file.relative_to(path).as_posix())
            groups.setdefault(key, []).append((rest, file))
    for key, members in groups.items():
        records = [file for rest, file in members if rest == "json"]
        shown = sorted(
            (grouped.natural(rest), file.name) for rest, file in members if grouped.is_image(rest)
        )
        if not records and not shown:
            continue  # A README, a licence: no row of any kind.
        where = f"{key}.json"
        if not records:
            yield Problem(
                f"there is no {where} beside it",
                where=f"{key.rpartition('/')[0]}/{shown[0][1]}".lstrip("/"),
            )
            continue
        try:
            if records[0].stat().st_size > MAX_RECORD:
                yield Problem(f"more than {MAX_RECORD} bytes", where=where)
                continue
            text = records[0].read_bytes()
        except OSError as error:
            yield Problem(f"cannot be read: {error.strerror}", where=where)
            continue
        beside = images.starting_from(records[0].parent)
        yield grouped.assemble(where, beside, text, [file for _, file in shown], {})


def _is_member(name: str) -> bool:
    rest = grouped.key_of(name)[1]
    return not name.startswith(".") and (rest == "json" or grouped.is_image(rest))


def writer(target: Target) -> RowWriter:
    """A folder of numbered files."""
    return SidecarFolder(target)


class SidecarFolder(grouped.Numbered):
    """A folder of `name.png` beside `name.json`."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        target.path.mkdir()
        self._folder = target.path

    def member(self, name: str, data: bytes) -> None:
        """Write one file."""
        (self._folder / name).write_bytes(data)
