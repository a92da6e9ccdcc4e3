"""An open store, and rows to import."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kolm_cli.capture.store import Store
from tests.capture.helpers import png, write_rows


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store.open() as opened:
        yield opened


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
