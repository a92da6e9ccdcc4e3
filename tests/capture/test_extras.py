"""Without the extras: what is missing is named, and everything else works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.capture.helpers import Kolm

WITHOUT = """
import sys
for name in {missing!r}:
    sys.modules[name] = None
sys.argv = ["kolm", *{arguments!r}]
from kolm_cli.cli.app import main
main()
"""


@pytest.mark.parametrize(
    ("missing", "arguments", "extra"),
    [
        (["httpx"], ["capture", "proxy", "--to", "ns", "--upstream", "http://x"], "proxy"),
        (["starlette", "uvicorn"], ["capture", "review", "ns"], "proxy"),
        (["pyarrow"], ["capture", "import", "x.parquet", "--to", "ns"], "capture"),
        (["pyarrow"], ["capture", "export", "ns", "x.parquet", "--format", "parquet"], "capture"),
        (["imagehash"], ["capture", "stats", "ns", "--near"], "capture"),
    ],
)
def test_a_missing_extra_is_named(
    missing: list[str],
    arguments: list[str],
    extra: str,
    kolm: Kolm,
    charts: Path,
    home: Path,
    tmp_path: Path,
) -> None:
    kolm("capture", "import", charts, "--to", "ns")
    if arguments[1] == "import":
        (tmp_path / "x.parquet").write_bytes(b"PAR1")
    code = WITHOUT.format(missing=missing, arguments=arguments)
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "KOLM_HOME": str(home)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 5, ran.stderr
    assert f"pip install 'kolm-cli[{extra}]'" in ran.stderr


def test_the_core_needs_none_of_the_extras_and_no_torch(
    charts: Path, home: Path, tmp_path: Path
) -> None:
    slow = ["torch", "transformers", "pyarrow", "numpy", "imagehash", "httpx", "starlette"]
    for arguments in (["capture", "import", str(charts), "--to", "ns"], ["capture", "ls", "ns"]):
        code = WITHOUT.format(missing=slow, arguments=arguments)
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "KOLM_HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ran.returncode == 0, ran.stderr
    assert "what is 4?" in ran.stdout
