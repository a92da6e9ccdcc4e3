"""A reader that leaves early, as `head` does, changes no exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

KOLM = f"{sys.executable} -m kolm_cli"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("families", 0),
        ("verify gone.kolm --json", 2),
        ("verify gone.kolm --json 2>&1", 2),
        ("compile --help", 0),
    ],
)
def test_the_exit_code_is_the_command_s(tmp_path: Path, command: str, code: int) -> None:
    script = f"set -o pipefail; {KOLM} {command} | (exec 0<&-; true); exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
