"""Writing a bundle again with more attestations. Its content, and so its CID, stays what it is."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from kolm_cli.bundle.container.open_bundle import open_bundle
from kolm_cli.bundle.container.unpack import unpack
from kolm_cli.bundle.container.zip_writer import Source, write_archive
from kolm_cli.bundle.verify import Report

# Gives the further files of a bundle that was unpacked into a folder; told which it has.
More = Callable[[Path, frozenset[str]], Mapping[str, Source]]


def with_more(path: Path, more: More, out: Path | None = None, *, cid: str | None = None) -> Report:
    """Write an intact bundle with further attestations, whole or not at all.

    Args:
        path: the bundle.
        more: gives them.
        out: where the result goes; in place by default.
        cid: the CID that it must have; None when any will do.

    Raises:
        VerificationError: the bundle is not intact, or another one.
    """
    target = out or path
    target.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".kolm-sign-") as name:
        folder = Path(name)
        report = unpack(path, folder, cid=cid)
        files: dict[str, Source] = {
            str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_file()
        }
        write_archive(target, {**files, **more(folder, frozenset(files))})
    with open_bundle(target) as written:
        assert written.cid == report.cid  # noqa: S101  # the manifest was copied as it is
    return report
