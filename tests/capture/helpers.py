from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Kolm = Callable[..., Ran]


def png(colour: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (8, 6)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("KOLM_HOME", str(folder))
    return folder


@pytest.fixture
def kolm(home: Path, tmp_path: Path) -> Kolm:
    """Run the real command in a process of its own, in the test's folder."""

    def run(*arguments: object, stdin: str | None = None) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "kolm_cli.cli.app", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "KOLM_HOME": str(home), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            input=stdin,
            timeout=120,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


def write_rows(path: Path, rows: Sequence[object]) -> Path:
    """Write rows as JSON lines; text is written as it is."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.fixture
def charts(tmp_path: Path) -> Path:
    """Five rows with five images."""
    folder = tmp_path / "data"
    folder.mkdir()
    rows = []
    for i in range(5):
        (folder / f"{i}.png").write_bytes(png((40 * i, 0, 0)))
        rows.append({"image": f"{i}.png", "prompt": f"what is {i}?", "response": f"it is {i}"})
    return write_rows(folder / "charts.jsonl", rows)
