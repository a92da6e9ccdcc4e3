"""Whether others could have written a file that is to be believed."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from kolm_cli.core.errors import Problem

_ROOT = 0
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def foreign_hands(path: Path) -> list[Problem]:
    """Why a file should not be believed: others can write it or replace it, or own it.

    The file, where it leads when it is a link, and the folder of each are looked at, as ssh does
    with a user's own files; a folder with the sticky bit lets nobody replace another's file.

    Args:
        path: a file; of one that does not exist yet, the folder is looked at.

    Returns:
        A problem a place, with the command that mends it; empty when all is well.

    Raises:
        OSError: a place cannot be looked at.
    """
    real = path.resolve()
    places = dict.fromkeys((path.absolute(), real, path.absolute().parent, real.parent))
    return [problem for place in places for problem in _problems(place)]


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
