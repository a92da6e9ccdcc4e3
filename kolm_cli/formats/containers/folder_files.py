"""The data files of a folder: regular files only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from kolm_cli.core.errors import Problem


def files_named(
    path: Path, fits: Callable[[str], bool], *, below: bool = True
) -> Iterator[Path | Problem]:
    """Every file in `path` and below whose name fits, sorted; a problem for what is no file.

    A FIFO would hang whoever opens it, and a folder is none to read.

    Args:
        path: the folder.
        fits: whether a file of this name is one of them.
        below: look into the folders in it too.
    """
    found = path.rglob("*") if below else path.iterdir()
    for file in sorted(file for file in found if fits(file.name)):
        if file.is_file():
            yield file
        else:
            yield Problem("not a regular file", where=file.relative_to(path).as_posix())
