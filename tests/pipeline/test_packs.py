"""`kolm eval --pack` takes what a spec's `data.eval` takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.core.errors import InputError
from kolm_cli.pipeline.evaluate import find_pack
from tests.support.jobs import write_rows

# The bundle is not asked when a pack is given.
BUNDLE: Any = None


def test_captured_pairs_and_their_splits(tmp_path: Path, kolm: Callable[..., Any]) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", 20)
    assert kolm("capture", "import", rows, "--to", "charts").code == 0
    every = find_pack(BUNDLE, "capture:charts")
    parts = [find_pack(BUNDLE, f"capture:charts@{part}") for part in ("train:0.5", "eval:0.5")]
    assert len(every) == 20
    assert sorted(row.id for part in parts for row in part) == sorted(row.id for row in every)


def test_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_rows(tmp_path / "rows.jsonl", 3)
    monkeypatch.chdir(tmp_path)
    assert len(find_pack(BUNDLE, "rows.jsonl")) == 3


@pytest.mark.parametrize("given", ["gone.jsonl", "capture:Not A Name", "capture:x@third"])
def test_what_is_none_of_these_is_told_the_forms(given: str) -> None:
    with pytest.raises(InputError) as caught:
        find_pack(BUNDLE, given)
    [problem] = caught.value.problems
    assert problem.where == "--pack"
    assert "capture:NAME@eval:0.2" in problem.fix
