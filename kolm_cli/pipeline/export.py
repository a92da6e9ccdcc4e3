"""`kolm export`: a verified bundle in a form that other programs serve."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.core.errors import InputError, Problem, VerificationError, raise_if_any
from kolm_cli.core.progress import Progress
from kolm_cli.export.base import BRAIN, FULL, Format, Source
from kolm_cli.export.catalog import FORMATS, get_format
from kolm_cli.export.compare import Comparison, compare
from kolm_cli.export.folder import check_place, new_folder, write_export
from kolm_cli.export.manifest import NAME, ExportManifest, read_manifest
from kolm_cli.pipeline.bundle_processor import load_processor
from kolm_cli.pipeline.bundle_use import Demands, find_base, unpacked


@dataclass(frozen=True)
class Exported:
    """An export that was written.

    Attributes:
        folder: where it is.
        manifest: what its `kolm-export.json` says.
    """

    folder: Path
    manifest: ExportManifest

    def as_json(self) -> dict[str, Any]:
        """What `kolm export --json` prints."""
        said = self.manifest
        return {
            "folder": str(self.folder),
            "to": said.to,
            "cid": said.cid,
            "dtype": said.dtype,
            "digest": self.manifest.digest,
            "files": len(said.files),
            "bytes": sum(entry.size for entry in said.files.values() if not entry.link),
            "serve": dict(said.serve),
        }


def export_bundle(
    bundle: Path,
    out: Path,
    *,
    to: str,
    dtype: str | None = None,
    base: Path | None = None,
    force: bool = False,
    demands: Demands | None = None,
    progress: Progress,
) -> Exported:
    """Export a bundle into a new folder, whole or not at all.

    Args:
        bundle: the bundle file.
        out: the folder; it must be new or empty.
        to: the format's name.
        dtype: the type of the weights; what the bundle was scored in when None.
        base: where a local base is, when this machine did not compile the bundle.
        force: replace an export that is there.
        demands: what the bundle must be; trusted by the user's own trust file when None.
        progress: told of the stages.

    Raises:
        InputError: there is no such format, the place is taken, or the bundle has something that
            the format cannot hold; holds every reason.
        LackingError: the base is not on this machine.
        VerificationError: the bundle is not intact or not trusted.
    """
    form = get_format(to)
    check_dtype(form, dtype)
    check_place(out, force=force)
    with opened(bundle, form, dtype=dtype, base=base, demands=demands, progress=progress) as source:
        # The place again: the bundle took its time.
        check_place(out, force=force)
        with new_folder(out) as folder:
            manifest = write_export(source, form, folder)
    return Exported(out, manifest)


def check_dtype(form: Format, dtype: str | None) -> None:
    """Refuse a type that a format does not have.

    Raises:
        InputError: says which it has.
    """
    if dtype is None or dtype in form.dtypes:
        return
    if not form.dtypes:
        raise InputError(Problem(f"has no effect with --to {form.name}", "--dtype", "leave it out"))
    raise InputError(
        Problem(
            f"{dtype!r:.40} is no type of --to {form.name}",
            where="--dtype",
            fix=f"write one of {', '.join(form.dtypes)}",
        )
    )


@contextmanager
def opened(
    bundle: Path,
    form: Format,
    *,
    dtype: str | None,
    base: Path | None,
    demands: Demands | None,
    progress: Progress,
) -> Iterator[Source]:
    """A bundle that a format can hold, verified and unpacked for as long as the block lasts."""
    progress.stage("unpack and check")
    with unpacked(bundle, demands or Demands(), progress) as files:
        found = find_base(files, base)
        # Whoever serves the export renders its template and runs its processor without limits.
        load_processor(files, found, progress)
        scored = BRAIN if files.spec["train"]["bf16"] else FULL
        source = Source(
            folder=files.folder,
            cid=files.cid,
            name=files.manifest["name"],
            base=found,
            weights=files.manifest["base"]["weights"],
            dtype=dtype or form.default_dtype or scored,
            progress=progress,
            scored=scored,
        )
        # Held against the base's before anything is written: servers run what it brings.
        load_processor(files, found, progress)
        raise_if_any(problems_of(source, form))
        yield source


def problems_of(source: Source, form: Format) -> list[Problem]:
    """Why a bundle cannot be exported to a format, each with what would work."""
    family = source.base.family
    if form.name in family.not_for:
        others = [other.name for other in FORMATS if other.name not in family.not_for]
        return [
            Problem(
                f"{family.name} cannot be exported to {form.name}: {family.not_for[form.name]}",
                fix=f"what works: --to {', '.join(others)}",
            )
        ]
    return form.problems(source)


def compare_export(
    folder: Path,
    bundle: Path,
    *,
    base: Path | None = None,
    demands: Demands | None = None,
    progress: Progress,
) -> Comparison:
    """Say whether an exported folder is what a bundle gives.

    Raises:
        InputError: the folder is no export.
        LackingError: the base is not on this machine.
        VerificationError: the bundle is not intact or not trusted, or the folder says that it was
            exported from another one.
    """
    said = read_manifest(folder)
    form = get_format(said.to)
    demands = demands or Demands()
    dtype = said.dtype if said.dtype in form.dtypes else None
    with opened(bundle, form, dtype=dtype, base=base, demands=demands, progress=progress) as source:
        if said.cid != source.cid:
            raise VerificationError(
                Problem(
                    f"says that it is of {said.cid}, not of {source.cid}",
                    str(folder / NAME),
                    f"name that bundle, or export {bundle} anew",
                )
            )
        work = source.folder / "export"
        work.mkdir()
        return compare(folder, said, source, form, work)
