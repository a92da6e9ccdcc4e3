"""Writing an export: the whole folder or none of it."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from kolm_cli.core import digests
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.versions import own_version
from kolm_cli.export.base import File, Format, Source
from kolm_cli.export.manifest import NAME, Entry, ExportManifest


def check_place(out: Path, *, force: bool) -> None:
    """Refuse a place that an export must not take.

    Raises:
        InputError: something is there that is no export, or one that was not to be replaced.
    """
    if not os.path.lexists(out):
        return
    if out.is_symlink() or not out.is_dir():
        raise InputError(Problem("is there already, and no folder", str(out), "name a new folder"))
    if not any(out.iterdir()):
        return
    if not (out / NAME).is_file():
        raise InputError(
            Problem(
                "is not empty, and no export of kolm's: nothing in it is replaced",
                where=str(out),
                fix="name a new folder",
            )
        )
    if not force:
        raise InputError(
            Problem("is an export already", where=str(out), fix="name a new folder, or say --force")
        )


@contextlib.contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its place at the end of the block, and is gone otherwise."""
    out = out.absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    tail = f"{os.getpid()}.{secrets.token_hex(4)}"
    made, old = (out.with_name(f".{out.name}.{tail}.{kind}") for kind in ("new", "old"))
    made.mkdir()
    try:
        yield made
        if out.exists():
            out.rename(old)
        made.rename(out)
    finally:
        for left in (made, old):
            if left.exists():
                shutil.rmtree(left)


def write_export(source: Source, form: Format, folder: Path) -> ExportManifest:
    """Write the files of an export, and their manifest last."""
    source.progress.stage(f"write {form.name}")
    found: dict[str, Entry] = {}
    for number, file in enumerate(form.files(source), 1):
        place = folder / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        found[file.path] = write_file(file, place)
        source.progress.advance(number)
    manifest = manifest_of(source, form, found)
    (folder / NAME).write_bytes(manifest.to_bytes())
    return manifest


def write_file(file: File, place: Path) -> Entry:
    """Write one file, or link it; what was written is what is hashed."""
    if file.target is not None:
        place.symlink_to(file.target)
        return Entry(file.target.stat().st_size, file.sha256, link=True)
    file.write(place)
    return Entry(place.stat().st_size, digests.sha256_file(place))


def manifest_of(source: Source, form: Format, files: dict[str, Entry]) -> ExportManifest:
    """What `kolm-export.json` says of these files."""
    base = source.base
    return ExportManifest(
        to=form.name,
        cid=source.cid,
        name=source.name,
        dtype=source.dtype,
        kolm=own_version,
        base={"model": base.name, "revision": base.revision, "weights": dict(source.weights)},
        serve=form.serving(source).as_json(),
        files=files,
    )
