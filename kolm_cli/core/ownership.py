"""Whether others could have written a file that is to be believed."""

from __future__ import annotations

import errno
import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from kolm_cli.core.errors import Problem

_ROOT = 0
_MOST_LINKS = 40
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def foreign_hands(path: Path) -> list[Problem]:
    """Why a file should not be believed: others can write it or replace it, or own it.

    The file, every link on the way to it, and the folder of each are looked at; a folder with the
    sticky bit lets nobody replace another's file.

    Args:
        path: a file; of one that does not exist yet, the folder is looked at.

    Returns:
        A problem a place, with the command that mends it; empty when all is well.

    Raises:
        OSError: a place cannot be looked at.
    """
    steps = list(_steps(path.absolute()))
    places = dict.fromkeys([*steps, *(step.parent for step in steps)])
    return [problem for place in places for problem in _problems(place)]


def _steps(path: Path) -> Iterator[Path]:
    """The links on the way to a file, and the file."""
    place, left = Path(path.anchor), [*reversed(path.parts[1:])]
    links = 0
    while left:
        step = left.pop()
        place = place.parent if step == ".." else place / step
        if place.is_symlink():
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
            yield place
            target = place.readlink()
            left.extend(reversed(target.parts[1:] if target.is_absolute() else target.parts))
            place = Path(target.anchor) if target.is_absolute() else place.parent
    yield place


def _problems(place: Path) -> Iterator[Problem]:
    try:
        facts = place.lstat()
    except FileNotFoundError:
        return
    name = shlex.quote(str(place))
    if facts.st_uid not in (_ROOT, os.geteuid()):
        yield Problem(
            f"belongs to another user (uid {facts.st_uid}), who could write anything there",
            str(place),
            f"if you wrote it yourself: chown {os.geteuid()} {name}",
        )
    sticky = stat.S_ISDIR(facts.st_mode) and facts.st_mode & stat.S_ISVTX
    if facts.st_mode & _OTHERS_WRITE and not stat.S_ISLNK(facts.st_mode) and not sticky:
        yield Problem("others than you can write it", str(place), f"chmod go-w {name}")
