"""Exporting a namespace: to a temporary name first, so that nothing half stands under `out`."""

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
from kolm_cli.formats.fields import Shape
from kolm_cli.formats.shapes import anthropic, openai, rows, sharegpt, trl
from kolm_cli.formats.shapes.writing import CannotError, Exported, ImageForms
from kolm_cli.formats.writers import files
from kolm_cli.formats.writers.images import StoredImages
from kolm_cli.formats.writers.parquet import Parquet

# Formats of JSON lines (or, for sharegpt, an array), by their shape.
_LINES: dict[str, Shape] = {
    "rows": rows.SHAPE,
    "trl-messages": trl.MESSAGES,
    "trl-prompt": trl.PROMPT,
    "openai-finetune": openai.FINETUNE,
    "openai-chat": openai.CHAT,
    "anthropic": anthropic.SHAPE,
    "sharegpt": sharegpt.SHAPE,
}
FORMATS = (*_LINES, "csv", "parquet", "imagefolder", "sidecar", "webdataset")


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
    if format not in FORMATS:
        raise InputError(Problem(f"there is no export format {format!r}", "", _one_of()))
    places = [out, out.parent / f"{out.stem}.images"]
    for place in places:
        if os.path.lexists(place):
            raise InputError(Problem("exists already", str(place), "remove it, or name another"))
    if not out.parent.is_dir():
        raise InputError(Problem("there is no such folder", where=str(out.parent)))
    plan = _Plan.of(wanted.of(store))
    work = Path(mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    problems: list[Problem] = []
    done = 0
    try:
        progress.stage(f"writing {out.name}", plan.pairs, "pairs")
        sink = _sink(format, work / out.name, f"{out.stem}.images", plan, store, embed)
        with contextlib.closing(sink):
            for pair in wanted.of(store):
                try:
                    sink.write(Exported(pair.pair, lossy))
                except CannotError as error:
                    problems.append(Problem(str(error), where=f"pair {pair.id}"))
                done += 1
                progress.advance(done)
        if problems:
            raise InputError(
                *problems, hint="--format trl-messages holds everything; --lossy leaves it out"
            )
        if not done:
            raise InputError(Problem("no pair to export", where=wanted.namespace))
        for item in sorted(work.iterdir()):
            item.rename(out.parent / item.name)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return ExportReport(done, out, format)


def _one_of() -> str:
    return f"one of {', '.join(FORMATS)}"


@dataclass
class _Plan:
    """What must be known of all pairs before the first is written."""

    pairs: int = 0
    single: bool = True
    simple: bool = True

    @classmethod
    def of(cls, pairs: Iterator[StoredPair]) -> _Plan:
        plan = cls()
        nothing = ImageForms(str, lambda _: b"", str)
        for pair in pairs:
            plan.pairs += 1
            plan.single &= len(pair.conversation.images) == 1
            if plan.simple:
                try:
                    rows.SHAPE.render(Exported(pair.pair), nothing)
                except CannotError:
                    plan.simple = False
        return plan

    @property
    def shape(self) -> Shape:
        """Kolm's rows when every pair is one question and one answer, else TRL's messages."""
        return rows.SHAPE if self.simple else trl.MESSAGES


def _sink(
    format: str, path: Path, images_name: str, plan: _Plan, store: Store, embed: bool
) -> files.Sink:
    images = StoredImages(store.files.path)
    if format == "sharegpt":
        return files.Array(path, images_name, images, sharegpt.SHAPE, embed)
    if format == "csv":
        return files.Table(path, images_name, images, rows.SHAPE, embed)
    if format == "parquet":
        return Parquet(path, images, trl.MESSAGES)
    if format == "imagefolder":
        return files.ImageFolder(path, images, plan.shape, plan.single)
    if format == "sidecar":
        return files.Sidecar(path, images, plan.shape)
    if format == "webdataset":
        return files.Tar(path, images, plan.shape)
    return files.Lines(path, images_name, images, _LINES[format], embed)
