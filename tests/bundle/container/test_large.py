"""A large bundle is streamed: neither writing nor verifying nor unpacking holds it in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.bundle import factory

KOLM = str(Path(sys.executable).with_name("kolm"))
LIMIT_KIB = 80 << 10


# Linux counts what the parent held at the fork as the child's: so a small one starts it.
PROBE = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
assert process.returncode == 0
print(usage.ru_maxrss)
"""


def peak_kib(*command: str) -> int:
    """The most memory that a command's process held, KiB."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *command], check=True, capture_output=True, text=True
    )
    return int(done.stdout)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    files = factory.big_files(folder, 100)
    path = factory.make_bundle(folder / "large.kolm", files=files).path
    assert path.stat().st_size > 100 << 20
    return path


@pytest.mark.parametrize("command", ["verify", "receipt", "unpack", "sign"])
def test_memory_stays_below_80_mb(command: str, large: Path, tmp_path: Path) -> None:
    arguments = {
        "verify": ["--allow-untrusted"],
        "receipt": [],
        "unpack": [str(tmp_path / "out"), "--allow-untrusted"],
        "sign": ["--out", str(tmp_path / "signed.kolm")],
    }[command]
    assert peak_kib(KOLM, command, str(large), *arguments) < LIMIT_KIB


def test_writing_streams_too(tmp_path: Path) -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[3])!r})\n"
        "from tests.bundle import factory; from pathlib import Path\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "factory.make_bundle(folder / 'a.kolm', files=factory.big_files(folder, 100))\n"
    )
    assert peak_kib(sys.executable, "-c", program) < LIMIT_KIB
