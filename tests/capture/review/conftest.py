"""The review page, served to a browser of the test's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.capture.review.helpers import fill


@pytest.fixture
def page(home: Path) -> Iterator[str]:
    fill(30)
    process = subprocess.Popen(
        [sys.executable, "-m", "kolm_cli.cli.app", "capture", "review", "ns", "--as", "ada"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "KOLM_HOME": str(home)},
    )
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.terminate()
    assert process.wait(timeout=20) == 0
