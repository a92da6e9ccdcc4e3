"""What the bundle that all tests share has to say about each image of its pack."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kolm_cli.core.digests import sha256_bytes
from kolm_cli.parity import client
from tests.support.jobs import Compiled


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAUSE_SECONDS", 0.01)


@pytest.fixture
def answers(compiled: Compiled, tmp_path: Path) -> dict[str, str | None]:
    """Image to what the bundle says about it."""
    done = compiled.job.kolm("unpack", compiled.bundle, tmp_path / "files")
    assert done.code == 0, done.err
    said = [
        json.loads(line)["prediction"]
        for line in (tmp_path / "files" / "eval" / "predictions.jsonl").read_text().splitlines()
    ]
    rows = [json.loads(li) for li in (compiled.job.folder / "eval.jsonl").read_text().splitlines()]
    images = [sha256_bytes((compiled.job.folder / row["image"]).read_bytes()) for row in rows]
    return dict(zip(images, said, strict=True))
