"""Reading the rows that a spec names, from the capture store or from files."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kolm_cli.capture.store import Store
from kolm_cli.core.digests import sha256_bytes
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.files import write_atomic
from kolm_cli.core.home import kolm_home
from kolm_cli.formats.reader import RowReader
from kolm_cli.records.images import ImageSource, StoredImage
from kolm_cli.records.judging_tags import judging_of
from kolm_cli.records.row import Row, rows_digest
from kolm_cli.records.spool import Spool
from kolm_cli.spec.sources import CaptureSource, FileSource, Source


@dataclass(frozen=True)
class SourceRows:
    """All rows of one source.

    Attributes:
        rows: the rows that could be read, in a fixed order.
        digest: names the rows; with problems, it names nothing that was ever compiled.
        problems: every row that could not be read; an empty source is one too.
        foreign: keys of a file's rows that kolm has no use for, and in how many rows each is.
        outside: images that a file's rows name outside of its folder.
        said: lines about images that a file's rows name outside of its folder, and about texts that
            every row was given.
    """

    rows: list[Row]
    digest: str
    problems: tuple[Problem, ...] = ()
    foreign: Mapping[str, int] = field(default_factory=dict)
    outside: int = 0
    said: tuple[str, ...] = ()

    @property
    def notes(self) -> list[str]:
        """A line for each key that has no effect, and what else is worth knowing."""
        unused = [
            f"the key {key!r} ({count} rows) means nothing to kolm and is not used"
            for key, count in sorted(self.foreign.items())
        ]
        return [*unused, *self.said]


def read_source(
    source: Source, *, accepted_only: bool = False, asking: bool = False, confine: str = ""
) -> SourceRows:
    """Every row of `source`, and every problem, so that they can be told with all the others.

    Args:
        source: where the rows are.
        accepted_only: only pairs that a person accepted.
        asking: a file's rows are questions, which need no answer; they lose the one that they have.
        confine: the option that asks to refuse images outside of a file's folder, and links in it
            that lead out of it; empty when they are read.
    """
    began = time.time_ns()
    problems: list[Problem] = []
    foreign: dict[str, int] = {}
    said: tuple[str, ...] = ()
    outside, named = 0, None
    if isinstance(source, CaptureSource):
        named = source_digest(source, accepted_only=accepted_only)
        rows = list(_captured(source, accepted_only=accepted_only))
    else:
        rows, problems, paths, reader = _from_file(source, asking=asking, confine=confine)
        foreign, outside = reader.foreign, reader.root.outside
        said = (*filter(None, [reader.root.summary]), *reader.notes)
    if not rows and not problems:
        problems.append(_empty(source, accepted_only=accepted_only))
    # A namespace has a digest of its own, by which it is also recognized unread.
    digest = named or rows_digest(rows)
    if problems:
        return SourceRows(rows, f"unreadable:{digest}", tuple(problems))
    if isinstance(source, FileSource) and not asking:
        _remember(_memo(source, confine), paths, digest, began)
    return SourceRows(rows, digest, foreign=foreign, outside=outside, said=said)


def _empty(source: Source, *, accepted_only: bool) -> Problem:
    """Why there are no rows, for the side that has none."""
    if isinstance(source, FileSource):
        return Problem("there are no rows", str(source.path), "name a source that has some")
    reference = f"capture:{source.namespace}" + (f"@{source.split}" if source.split else "")
    with Store.open() as store:
        usable = store.count(source.namespace)
        counted = store.count(source.namespace, accepted_only=accepted_only)
    if not counted:
        what = f"none of its {usable} pairs is accepted" if usable else "it holds no pair"
        fix = f"kolm capture review {source.namespace}" if usable else "capture or import pairs"
        return Problem(f"there are no rows: {what}", reference, fix)
    return Problem(
        f"there are no rows: none of the {counted} pairs falls on this side of the split",
        reference,
        f"capture more pairs, or write another share, such as {source.namespace}@train:0.5 and"
        f" {source.namespace}@eval:0.5",
    )


def _captured(source: CaptureSource, *, accepted_only: bool) -> Iterator[Row]:
    with Store.open() as store:
        for pair in store.pairs(source.namespace, accepted_only=accepted_only, split=source.split):
            images: dict[str, ImageSource] = {
                sha256: StoredImage(store.image_path(sha256), sha256)
                for sha256 in pair.conversation.images
            }
            name = f"capture:{source.namespace}/{pair.digest[:16]}"
            try:
                judging = judging_of(pair.tags)
            except (ValueError, InputError) as error:
                fix = "correct its tags: export the pairs, edit the file, and import it again"
                raise InputError(Problem(str(error), name, fix)) from error
            yield Row(name, pair.conversation, images, pair.answers, pair.provenance(), judging)


def _from_file(
    source: FileSource, *, asking: bool, confine: str
) -> tuple[list[Row], list[Problem], list[Path], RowReader]:
    """The rows, the problems, every file that they were read from, and what read them."""
    rows: list[Row] = []
    problems: list[Problem] = []
    paths = {source.path}
    if source.path.is_dir():
        paths |= set(source.path.rglob("*"))
    # Preflight decodes the images; here their bytes are only named.
    reader = RowReader(
        source.path, columns=source.columns, spool=Spool(), asking=asking, confine=confine
    )
    for row in reader:
        if isinstance(row, Problem):
            problems.append(row)
            continue
        paths |= {path for image in row.images.values() if (path := image.path)}
        rows.append(row.as_row())
    return rows, problems, sorted(paths), reader


# -- recognising an unchanged file without reading it --------------------------------------------


def source_digest(source: Source, *, accepted_only: bool = False, confine: str = "") -> str | None:
    """The digest of an unchanged source, quickly; None when it has to be read.

    A capture namespace has a digest of its own. A file is recognized by the size and time of
    itself and of every image that its rows named when they were last read.
    """
    if isinstance(source, CaptureSource):
        with Store.open() as store:
            return store.namespace_digest(
                source.namespace, accepted_only=accepted_only, split=source.split
            )
    try:
        memo = json.loads(_memo(source, confine).read_bytes())
        for name, *stamp in memo["files"]:
            if _stamp(Path(name).stat()) != stamp:
                return None
        return str(memo["digest"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError, OverflowError):
        # A lost memo costs a reading, nothing else.
        return None


def _stamp(stat: os.stat_result) -> list[int]:
    """What changes with a file: the last time is the system's own, and nobody can set it back."""
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


def _memo(source: FileSource, confine: str) -> Path:
    folder = kolm_home() / "source-digests"
    folder.mkdir(mode=0o700, exist_ok=True)
    # Other columns are other rows; and what was read freely was not looked at for images elsewhere.
    name = str(source.path) + ("" if source.columns is None else f"\0{source.columns}")
    name += "\0confined" if confine else ""
    return folder / f"{sha256_bytes(name.encode())}.json"


def _remember(memo: Path, paths: list[Path], digest: str, began: int) -> None:
    stats = [(p, p.stat()) for p in paths]
    if any(max(stat.st_mtime_ns, stat.st_ctime_ns) >= began for _, stat in stats):
        return  # touched while it was read: what was digested may not be what is there
    files = [[str(p), *_stamp(stat)] for p, stat in stats]
    content = json.dumps({"digest": digest, "files": files}).encode()
    write_atomic(memo, content, mode=0o600, durable=False)
