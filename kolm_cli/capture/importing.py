"""Importing a file or a folder into the store: everything is checked before anything is kept."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kolm_cli.capture.pairs import NewPair
from kolm_cli.capture.split import check_namespace
from kolm_cli.capture.store import Store
from kolm_cli.core.errors import InputError, LackingError, Problem
from kolm_cli.core.files import atomic_writer
from kolm_cli.core.progress import Progress, Silent
from kolm_cli.formats.columns import Columns
from kolm_cli.formats.fields import ImportedRow
from kolm_cli.formats.reader import RowReader
from kolm_cli.records.images import ImageChecker


@dataclass
class ImportReport:
    """What an import did.

    Attributes:
        namespace: where the pairs went.
        format: what the file was recognized as.
        rows: rows that could be read.
        added: pairs that the namespace did not hold before.
        known: rows whose pair it held already, or that occur twice in the file.
        skipped: rows that could not be read; not 0 only with `--skip-bad`.
        foreign: keys that kolm has no use for, and how many rows had each.
        outside: images that rows name outside of the folder that they should be in.
        folder: that folder.
        notes: texts that every row was given.
    """

    namespace: str
    format: str
    rows: int = 0
    added: int = 0
    known: int = 0
    skipped: int = 0
    foreign: dict[str, int] = field(default_factory=dict)
    outside: int = 0
    folder: str = ""
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The report as the document that `--json` prints."""
        return {
            "namespace": self.namespace,
            "format": self.format,
            "rows": self.rows,
            "added": self.added,
            "already_there": self.known,
            "skipped": self.skipped,
            "unused_keys": dict(sorted(self.foreign.items())),
            "images_outside": {"folder": self.folder, "images": self.outside},
        }


def import_path(
    store: Store,
    path: Path,
    namespace: str,
    *,
    format: str | None = None,
    images: Path | None = None,
    tags: tuple[str, ...] = (),
    skip_bad: Path | None = None,
    strip: bool = False,
    confine: bool = False,
    columns: Columns | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Import `path` into `namespace`.

    The file is read twice: once to find everything that is wrong with it, and, when nothing
    is, once more to store it. Killed in between, the next import adds what is missing.

    Args:
        store: where the pairs go.
        path: a file or folder of any format of `formats.catalog`.
        namespace: the namespace to add to.
        format: see `RowReader`.
        images: the folder that relative image paths start from.
        tags: added to every pair.
        skip_bad: leave out what cannot be read, and list it in this file (JSON lines of
            `where` and `problem`); by default one bad row refuses the whole file.
        strip: keep of every image the pixels only, upright, as PNG.
        confine: refuse images outside of the file's folder (or of `images`).
        columns: which columns hold what, where they do not have kolm's names.
        progress: told what happens.

    Raises:
        InputError: rows that cannot be read (all of them), or the file changed meanwhile.
        LackingError: the disk is full, or the store cannot be written.
    """
    progress = progress or Silent()
    check_namespace(namespace)
    checker = ImageChecker()
    reader = RowReader(
        path,
        format=format,
        images=images,
        checker=checker,
        strip=strip,
        confine="--confine" if confine else "",
        columns=columns,
    )
    progress.stage(f"reading {path.name}")
    problems: list[Problem] = []
    first = _Content()
    for item in reader:
        if isinstance(item, Problem):
            problems.append(item)
        else:
            first.add(item)
            progress.advance(first.rows)
    report = ImportReport(
        namespace,
        reader.format,
        foreign=dict(reader.foreign),
        outside=reader.root.outside,
        folder=str(reader.root.folder),
        notes=reader.notes,
    )
    if skip_bad is not None:
        _write_skipped(skip_bad, problems)
        report.skipped = len({problem.where for problem in problems})
    elif problems:
        # Advice that would leave nothing is none.
        some = " the rows, or add --skip-bad FILE to leave them out and list them there"
        raise InputError(*problems, hint=f"mend{some}" if first.rows else "")
    if not first.rows:
        raise InputError(
            Problem(
                "holds no row that can be imported",
                str(path),
                "docs/reference/rows.md says what a row is",
            )
        )
    progress.stage(f"storing {path.name}", first.rows, "rows")
    second = _Content()
    try:
        for added in store.add_many(namespace, _pairs(reader, second, tags)):
            report.rows += 1
            report.added += added.new
            progress.advance(report.rows, added=report.added)
    except (OSError, sqlite3.OperationalError) as error:
        raise LackingError(
            Problem(f"could not be stored: {error}", where=str(path)),
            hint=f"{report.rows} rows are stored; when there is space, importing again adds the "
            "rest",
        ) from error
    if second.digest() != first.digest():
        raise InputError(Problem("changed while it was imported", str(path), "import it again"))
    report.known = report.rows - report.added
    return report


class _Content:
    """What was read, in one digest: two readings of a file must agree."""

    def __init__(self) -> None:
        self.rows = 0
        self._hash = hashlib.sha256()

    def add(self, row: ImportedRow) -> None:
        self.rows += 1
        self._hash.update(f"{row.where}\0{row.conversation.digest}\n".encode())

    def digest(self) -> str:
        return self._hash.hexdigest()


def _pairs(reader: RowReader, content: _Content, tags: tuple[str, ...]) -> Iterator[NewPair]:
    for item in reader:
        if isinstance(item, Problem):
            continue  # Reported, or listed by --skip-bad, when the file was read first.
        content.add(item)
        pair = replace(item.pair, tags=tuple(dict.fromkeys((*item.tags, *tags))))
        yield NewPair(pair, item.where, item.images, item.facts)


def _write_skipped(path: Path, problems: list[Problem]) -> None:
    with atomic_writer(path) as stream:
        for problem in problems:
            line = {"where": problem.where, "problem": problem.what, "fix": problem.fix}
            text = json.dumps(line, ensure_ascii=False)
            # Half a surrogate pair, as JSON spells it.
            stream.write(text.encode("utf-8", "backslashreplace") + b"\n")
