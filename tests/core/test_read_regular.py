"""Whatever a command is told to read, it reads regular files only, and not without bound."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kolm_cli.core.files import read_regular
from tests.bundle.forge import good
from tests.support.jobs import Job


def test_reads_up_to_the_bound(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    assert read_regular(path, 5) == b"12345"
    with pytest.raises(OSError, match="has 5 bytes, more than the 4 allowed"):
        read_regular(path, 4)


def test_a_file_that_says_it_is_empty_is_bounded_too() -> None:
    """Files of /proc have no size."""
    with pytest.raises(OSError, match="more than the 10 allowed"):
        read_regular(Path("/proc/cpuinfo"), 10)


@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "missing", "NUL"])
def test_what_is_no_regular_file_says_so(kind: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    path, words = {
        "fifo": (tmp_path / "fifo", "not a regular file"),
        "device": (Path("/dev/zero"), "not a regular file"),
        "folder": (tmp_path, "Is a directory"),
        "missing": (tmp_path / "missing", "No such file"),
        "NUL": (Path("a\0b"), "not a path"),
    }[kind]
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match=words):
        read_regular(path, 10)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("what", ["device", "fifo"])
def test_no_command_hangs_on_a_device_or_a_fifo(what: str, tmp_path: Path) -> None:
    job = Job(tmp_path)
    bundle, _ = good(tmp_path / "a.kolm")
    os.mkfifo(tmp_path / "fifo")
    place = "/dev/zero" if what == "device" else tmp_path / "fifo"
    for arguments in (
        ("verify", bundle, "--trust", place),
        ("verify", place),
        ("unpack", bundle, tmp_path / "new", "--trust", place),
        ("trust", "list", "--trust", place),
        ("trust", "add", place, "--name", "*"),
        ("trust", "add", "ab" * 32, "--name", "*", "--trust", place),
        ("validate", place),
        ("run", bundle, "--image", place, "--prompt", "?"),
    ):
        done = job.kolm_process(*arguments, timeout=60)
        assert done.code == 2, (arguments, done.err)
        assert "not a regular file" in done.err, arguments
    done = job.kolm_process("sign", bundle, KOLM_SIGNING_KEY=str(place), timeout=60)
    assert done.code == 2
    assert not list(tmp_path.glob(".*.lock"))
