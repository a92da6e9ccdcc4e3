"""Errors of the operating system that are no fault of kolm's, in words."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Sequence
from pathlib import Path

from kolm_cli.core.errors import InputError, KolmError, LackingError, Problem

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
# What may be wrong with a place whoever named it.
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
# What is wrong with a place that somebody named, and a fault of kolm's with any other.
_UNFIT = (
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.ENXIO,
    errno.ENODEV,
)


def of_the_system(error: Exception, arguments: Sequence[str]) -> KolmError | None:
    """The error with its place; None where it may be a fault of kolm's.

    Args:
        error: what no command foresaw.
        arguments: the command line, which says whether the user named the place.
    """
    if isinstance(error, UnicodeEncodeError):
        return _no_text(arguments)
    if not isinstance(error, OSError):
        return None
    where = "" if error.filename is None else os.fsdecode(error.filename)
    if error.errno in _NO_ROOM:
        return LackingError(
            Problem(f"no space is left: {error.strerror}", where=where),
            hint="free some space; the same command again continues",
        )
    if not where:
        return None
    what = f"cannot be read or written: {error.strerror}"
    if error.errno in (*_REFUSED, *_UNFIT) and _is_near(Path(where), arguments):
        return InputError(Problem(what, where, "name another place"))
    if error.errno in _REFUSED:
        return LackingError(Problem(what, where, "let yourself read and write there"))
    return None


def _no_text(arguments: Sequence[str]) -> KolmError | None:
    """Bytes that are no UTF-8 may be a file's name, and nothing else."""
    wrong = [word for word in arguments if not word.isascii() and not _is_text(word)]
    return (
        InputError(*(Problem("is not UTF-8 text", word, "write it in UTF-8") for word in wrong))
        if wrong
        else None
    )


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_near(path: Path, arguments: Sequence[str]) -> bool:
    """Whether `path` is a place that the command line names, or beside, above or below one."""
    place = path.absolute()
    for word in arguments:
        named = _expanded(word.rpartition("=")[2] if word.startswith("--") else word).absolute()
        if place in (named, *named.parents) or named in place.parents:
            return True
        if place.parent == named.parent:  # a temporary file that was to become it
            return True
    return False


def _expanded(word: str) -> Path:
    # Not above: help is shown without what it loads.
    from kolm_cli.core.files import expanded

    with contextlib.suppress(InputError):
        return expanded(word)
    return Path(word)
