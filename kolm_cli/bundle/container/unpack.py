"""Unpacks a bundle while it is verified: what was checked is what is loaded."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from kolm_cli.bundle.container.sinks import ToFile
from kolm_cli.bundle.container.zip_reader import ByteSink, ContainerError, open_file
from kolm_cli.bundle.contents import read_contents
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.bundle.verify import Report, judge
from kolm_cli.core.errors import InputError, Problem, VerificationError


def unpack(
    path: Path,
    folder: Path,
    *,
    trust: TrustPolicy | None = None,
    allow_untrusted: bool = True,
    cid: str | None = None,
) -> Report:
    """Write a bundle's files into a new folder (0700), hashing what is written.

    Args:
        path: the bundle.
        folder: must not exist, or be empty. Holds nothing when this raises.
        trust: whose signatures count; nobody's by default.
        allow_untrusted: unpack what is intact, whoever signed it.
        cid: the CID that it must have.

    Raises:
        InputError: there is no such bundle, or the folder is not empty.
        VerificationError: the bundle is not intact, or not trusted where that is asked for.
    """
    with open_file(path) as stream, _new_folder(folder):

        def tee(name: str, sink: ByteSink | None) -> ByteSink:
            if layout.kind_of(name) is None:
                raise ContainerError(f"{name} is not a file that a bundle may hold")
            target = folder / name
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
            return ToFile(os.fdopen(os.open(target, flags, 0o600), "wb"), sink)

        report = judge(read_contents(stream, tee), trust or TrustPolicy(), cid=cid)
        require(report, path, allow_untrusted=allow_untrusted)
    return report


def require(report: Report, path: Path, *, allow_untrusted: bool) -> None:
    """Raise unless a report is good enough.

    Raises:
        VerificationError: names every check that failed.
    """
    if report.state == "trusted" or (report.state == "untrusted" and allow_untrusted):
        return
    failed = (Problem(c.detail, f"{path}: {c.name}") for c in report.failed)
    hint = f"kolm verify {path}"
    if report.state == "untrusted":
        hint = "`kolm trust add` the signer's key if you trust it, or say --allow-untrusted"
    raise VerificationError(*failed, hint=hint)


@contextlib.contextmanager
def _new_folder(folder: Path) -> Iterator[None]:
    """A private folder that is emptied again when something goes wrong."""
    made = not folder.exists()
    if not made and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            Problem("exists and is not an empty folder", str(folder), "name a new folder")
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    try:
        yield
    except BaseException:
        for child in folder.iterdir():
            shutil.rmtree(child) if child.is_dir() else child.unlink()
        if made:
            folder.rmdir()
        raise
