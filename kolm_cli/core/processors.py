"""How many processors this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def available_processors() -> int:
    """Processors that the scheduler gives this process: its affinity, within its cgroup's quota.

    `os.cpu_count()` names the machine's, of which a container may have a few: as many threads as
    that fight each other.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = _quota()
    return max(1, min(count or 1, math.ceil(quota) if quota else count or 1))


def _quota(root: Path = _CGROUP) -> float | None:
    """The smallest quota of this process's cgroup and those above it, in processors."""
    found = [_version_1(root)]
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    # Version 2 has the one line `0::/path`.
    path = next((line[3:] for line in lines if line.startswith("0::")), "/")
    folder = root / path.strip("/")
    while True:
        found.append(_version_2(folder / "cpu.max"))
        if folder == root or root not in folder.parents:
            break
        folder = folder.parent
    return min((value for value in found if value), default=None)


def _version_2(path: Path) -> float | None:
    try:
        quota, period = path.read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _version_1(root: Path) -> float | None:
    try:
        quota = int((root / "cpu" / "cpu.cfs_quota_us").read_text())
        period = int((root / "cpu" / "cpu.cfs_period_us").read_text())
        return quota / period if quota > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
