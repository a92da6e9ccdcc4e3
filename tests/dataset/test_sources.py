"""A source has one digest, whether it is looked up or its rows are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from kolm_cli.dataset.sources import read_source, source_digest
from kolm_cli.spec.sources import CaptureSource
from tests.support.jobs import Job, write_rows


def test_a_capture_namespace_is_named_alike_read_or_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(tmp_path)
    write_rows(tmp_path / "rows.jsonl", 6)
    done = job.kolm("capture", "import", "rows.jsonl", "--to", "shop", "--json")
    assert done.code == 0, done.err
    monkeypatch.setenv("KOLM_HOME", str(job.home))
    source = CaptureSource("shop", None)
    assert read_source(source).digest == source_digest(source)
