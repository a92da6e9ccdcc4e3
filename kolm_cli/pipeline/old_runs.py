"""Old run folders: what finished runs keep only to spare a later compile its training."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kolm_cli.core.home import home_path, private_folder

DAY = 24 * 3600.0


@dataclass(frozen=True)
class Tidied:
    """What was removed.

    Attributes:
        runs: the digests of their inputs, in order.
        bytes: what they held.
    """

    runs: list[str]
    bytes: int


def remove_runs(*, days: int, dry_run: bool = False) -> Tidied:
    """Remove the runs in which nothing was written for `days` days, finished or not.

    Bundles stay in the registry. What goes is the frozen data, the checkpoints that an interrupted
    run would resume from, and the adapter that a changed evaluation would otherwise be given.
    A run that a compile is at work on stays, however old.
    """
    runs, removed, size = home_path() / "runs", [], 0
    for run in sorted(runs.iterdir()) if runs.is_dir() else []:
        with (private_folder("locks") / f"{run.name}.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            facts = list(_facts(run))
            if not facts or time.time() - max(f.st_mtime for f in facts) < days * DAY:
                continue
            removed.append(run.name)
            size += sum(fact.st_size for fact in facts)
            if not dry_run:
                _remove(run)
    return Tidied(removed, size)


def _facts(run: Path) -> Iterator[os.stat_result]:
    """Of a run's folder and all that is in it; of nothing when another collection took it."""
    for folder, _, names in os.walk(run):
        for path in (folder, *(os.path.join(folder, name) for name in names)):
            with contextlib.suppress(FileNotFoundError):
                yield os.lstat(path)


def _remove(run: Path) -> None:
    """Out of the way at once, so that a kill leaves no half run to resume; then from the disk."""
    aside = private_folder("tmp") / f"removed-{run.name}"
    shutil.rmtree(aside, ignore_errors=True)
    run.rename(aside)
    shutil.rmtree(aside)
