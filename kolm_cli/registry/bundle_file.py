"""One way to name a bundle, for every command: a file, or a bundle of the local registry."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from kolm_cli.core.errors import KolmError
from kolm_cli.core.home import private_folder
from kolm_cli.registry.index import named
from kolm_cli.registry.pull import deliver
from kolm_cli.registry.store import Registry


def is_path(text: str) -> bool:
    """Whether `text` means a file: it is there, ends in `.kolm`, or begins as paths do."""
    if text.endswith(".kolm") or text.startswith((os.sep, f".{os.sep}", f"..{os.sep}")):
        return True
    # Not a folder: one often has the name of the bundle that is made in it.
    with contextlib.suppress(OSError, ValueError):
        return os.path.lexists(text) and not os.path.isdir(text)
    return False


@contextlib.contextmanager
def bundle_file(text: str, registry: Registry | None = None) -> Iterator[Path]:
    """A bundle as a file, for as long as the block lasts.

    Args:
        text: a path; or NAME:TAG, NAME (its tag `latest`), a CID, the beginning of one that only
            one bundle has, or NAME@sha256:…, in the local registry.
        registry: another registry than the user's own.

    Raises:
        InputError: there is neither such a file nor such a bundle.
        VerificationError: the registry is damaged.
    """
    if is_path(text):
        yield Path(text)
        return
    registry = registry or Registry()
    reference = named(registry.index(), text)
    with TemporaryDirectory(prefix="kolm-", dir=private_folder("tmp")) as folder:
        copy = Path(folder) / "bundle.kolm"
        deliver(registry, reference, copy)
        try:
            yield copy
        except KolmError as error:
            _call(error, str(copy), text)
            raise


def _call(error: KolmError, copy: str, name: str) -> None:
    """Let an error speak of the bundle by the name that the user gave, not of a temporary copy."""
    error.problems = tuple(
        replace(p, what=p.what.replace(copy, name), where=p.where.replace(copy, name))
        for p in error.problems
    )
    error.hint = error.hint.replace(copy, name)
