"""Exporting a namespace: to a temporary name first, so that `out` never holds half an export."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from kolm_cli.capture.filters import Filter
from kolm_cli.capture.pairs import StoredPair
from kolm_cli.capture.split import Split
from kolm_cli.capture.store import Store
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.progress import Progress, Silent
from kolm_cli.formats import catalog
from kolm_cli.formats.shapes import rows
from kolm_cli.formats.stored_images import StoredImages
from kolm_cli.formats.targets import Target
from kolm_cli.formats.writing import CannotError, Exported, ImageForms

FORMATS = catalog.written_names()


@dataclass
class ExportReport:
    """What was written: pairs, and where."""

    pairs: int
    out: Path
    format: str


@dataclass(frozen=True)
class Selection:
    """Which pairs are exported; see `Store.pairs`."""

    namespace: str
    split: Split | None = None
    accepted_only: bool = False
    matching: Filter | None = None

    def of(self, store: Store) -> Iterator[StoredPair]:
        """The pairs themselves."""
        return store.pairs(
            self.namespace,
            accepted_only=self.accepted_only,
            split=self.split,
            matching=self.matching,
        )


def export(
    store: Store,
    wanted: Selection,
    out: Path,
    format: str,
    *,
    embed: bool = False,
    lossy: bool = False,
    progress: Progress | None = None,
) -> ExportReport:
    """Write pairs to `out`, which must not exist yet.

    Args:
        store: where the pairs are.
        wanted: which of them.
        out: the file (or the folder, for `imagefolder` and `sidecar`) to write. Formats that
            refer to images by path put them in `<name>.images` beside the file.
        format: one of `FORMATS`.
        embed: put images into the rows as data URIs.
        lossy: leave out what the format has no place for, instead of refusing it.
        progress: told what happens.

    Raises:
        InputError: no such format, `out` exists, nothing to export, or pairs that the format
            cannot hold (all of them).
    """
    progress = progress or Silent()
    catalog.check_format(format, FORMATS)
    places = [out, out.parent / f"{out.stem}.images"]
    for place in places:
        if os.path.lexists(place):
            raise InputError(Problem("exists already", str(place), "remove it, or name another"))
    if not out.parent.is_dir():
        raise InputError(
            Problem("there is no such folder", str(out.parent), "make it, or name another")
        )
    plan = _Plan.of(wanted.of(store))
    container, shape = catalog.written(format, simple=plan.simple)
    if embed and not container.embeds:
        raise InputError(Problem(f"--embed changes nothing in {format}", fix="leave it out"))
    work = Path(mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    problems: list[Problem] = []
    done = 0
    try:
        progress.stage(f"writing {out.name}", plan.pairs, "pairs")
        images = StoredImages(store.files.path)
        target = Target(
            work / out.name,
            f"{out.stem}.images",
            images,
            shape,
            embed,
            plan.one_image,
            plan.weights,
            plan.boxes,
        )
        with contextlib.closing(container.writer(target)) as writer:
            for pair in wanted.of(store):
                try:
                    writer.write(Exported(pair.pair, lossy))
                except CannotError as error:
                    problems.append(Problem(str(error), where=f"pair {pair.id}"))
                done += 1
                progress.advance(done)
        if problems:
            raise InputError(
                *problems, hint="--format trl-messages holds everything; --lossy leaves it out"
            )
        if not done:
            raise InputError(
                Problem(
                    "no pair to export",
                    wanted.namespace,
                    f"kolm capture ls {wanted.namespace} shows what it holds",
                )
            )
        for item in sorted(work.iterdir()):
            item.rename(out.parent / item.name)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return ExportReport(done, out, format)


@dataclass
class _Plan:
    """What must be known of all pairs before the first is written."""

    pairs: int = 0
    one_image: bool = True
    weights: bool = False
    boxes: bool = False
    simple: bool = True

    @classmethod
    def of(cls, pairs: Iterator[StoredPair]) -> _Plan:
        plan = cls()
        nothing = ImageForms(str, lambda _: b"", str)
        for pair in pairs:
            plan.pairs += 1
            plan.weights |= not all(m.learn for m in pair.conversation.messages)
            plan.boxes |= pair.conversation.has_regions
            plan.one_image &= len(pair.conversation.images) == 1
            if plan.simple:
                try:
                    rows.SHAPE.record(Exported(pair.pair), nothing)
                except CannotError:
                    plan.simple = False
        return plan
