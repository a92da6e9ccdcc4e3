"""`kolm eval --pack` takes what a spec's `data.eval` takes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.core.errors import InputError
from kolm_cli.pipeline.evaluate import read_pack
from tests.support.jobs import Compiled, write_rows


def test_captured_pairs_and_their_splits(tmp_path: Path, kolm: Callable[..., Any]) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", 20)
    assert kolm("capture", "import", rows, "--to", "charts").code == 0
    every = read_pack("capture:charts")
    parts = [read_pack(f"capture:charts@{part}") for part in ("train:0.5", "eval:0.5")]
    assert len(every) == 20
    assert sorted(row.id for part in parts for row in part) == sorted(row.id for row in every)


def test_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_rows(tmp_path / "rows.jsonl", 3)
    monkeypatch.chdir(tmp_path)
    assert len(read_pack("rows.jsonl")) == 3


@pytest.mark.parametrize("given", ["gone.jsonl", "capture:Not A Name", "capture:x@third"])
def test_what_is_none_of_these_is_told_the_forms(given: str) -> None:
    with pytest.raises(InputError) as caught:
        read_pack(given)
    [problem] = caught.value.problems
    assert problem.where == "--pack"
    assert "capture:NAME@eval:0.2" in problem.fix


def test_a_pack_of_a_stranger_is_confined(compiled: Compiled, tmp_path: Path) -> None:
    inside, outside = tmp_path / "pack", tmp_path / "secret.png"
    inside.mkdir()
    shutil.copy(next((compiled.job.folder / "images").glob("*.png")), outside)
    pack = inside / "p.jsonl"
    pack.write_text('{"image": "../secret.png", "prompt": "hue 1?", "response": "red"}\n')
    ask = ("eval", str(compiled.bundle), "--pack", str(pack))
    done = compiled.job.kolm(*ask, "--confine")
    assert done.code == 2
    assert "secret.png" in done.err
    assert compiled.job.kolm(*ask).code == 0
    done = compiled.job.kolm("eval", str(compiled.bundle), "--confine")
    assert done.code == 2
    assert "--confine: has no effect without --pack" in done.err
