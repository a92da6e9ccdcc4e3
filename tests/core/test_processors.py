"""How many processors a run may use: affinity and quotas, not what the machine has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kolm_cli.core import processors


def test_affinity_counts() -> None:
    program = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from kolm_cli.core.processors import available_processors as count\n"
        "print(count())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"1"


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "150000 100000"}, 1.5),
        ({"cpu.max": "nonsense"}, None),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 0.5),
    ],
)
def test_a_container_s_quota_counts(
    tmp_path: Path, files: dict[str, str], quota: float | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert processors._quota(tmp_path) == quota


def test_half_a_processor_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "_quota", lambda: 0.5)
    assert processors.available_processors() == 1
