"""A place that cannot be read or written is exit 2 with its name, in whatever command."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kolm_cli.bundle.signing import keys
from kolm_cli.cli.system_errors import of_the_system
from kolm_cli.core.errors import ExitCode
from tests.bundle.factory import make_bundle


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, stored as x:1, and a key that did not sign it."""
    folder = tmp_path_factory.mktemp("places")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KOLM_HOME", str(folder / "home"))
        make_bundle(folder / "x.kolm", keys.create("ed25519", passphrase="", trusted=True))
        keys.set_default(keys.create("ecdsa-p256", passphrase="", trusted=True).key_id)
    assert kolm(folder, "push", "x.kolm", "x:1").returncode == 0
    assert kolm(folder, "capture", "add", "--to", "qa", "--prompt", "a", "--response", "b")
    return folder


def kolm(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kolm_cli.cli.app", *arguments],
        cwd=folder,
        env={**os.environ, "KOLM_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "line",
    [
        "keys export --out /proc/x/y",
        "sign x.kolm --out /proc/x/y",
        "pull x:1 --out /proc/x/y",
        "pull x:1 --out=/dev/null/y",
        "unpack x.kolm /proc/x",
        "capture export qa /proc/x/y.jsonl",
        "init /proc/x",
        "demo /proc/x",
        "compile /proc/self/mem",
        "receipt /proc/x/y",
        "diff x.kolm /dev/null/x",
        "report x.kolm --out ~nobody/proc/x",
        "report x.kolm --out ~no-such-user/proc/x",
        "capture ls qa --model /proc/\udcff",
        "capture stats /proc/\udcff",
    ],
)
def test_it_is_no_fault(folder: Path, line: str) -> None:
    done = kolm(folder, *line.split())
    assert done.returncode == 2, done.stderr
    assert "/proc/" in done.stderr or "/dev/null" in done.stderr
    assert "unexpected" not in done.stderr


def test_a_place_that_nobody_named_stays_a_fault() -> None:
    missing = FileNotFoundError(errno.ENOENT, "No such file", "/kolm/inner")
    assert of_the_system(missing, ["compile", "spec.yaml"]) is None
    denied = PermissionError(errno.EACCES, "Permission denied", "/kolm/inner")
    lacking = of_the_system(denied, ["compile", "spec.yaml"])
    assert lacking is not None
    assert lacking.exit_code is ExitCode.ENVIRONMENT
    full = of_the_system(OSError(errno.ENOSPC, "No space left on device", "/x"), [])
    assert full is not None
    assert full.exit_code is ExitCode.ENVIRONMENT
