"""`data.confine`: a spec's data names no image outside of its folder, however it is written."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from kolm_cli.core.errors import InputError
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.pipeline.inputs import gather
from kolm_cli.spec.digest_forms import bundle_form
from tests.support.jobs import Job

Write = Callable[[Path, list[dict[str, Any]]], Path]


def _jsonl(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _csv(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "rows.csv"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def _parquet(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def _saved(folder: Path, rows: list[dict[str, Any]]) -> Path:
    table = pa.Table.from_pylist(rows)
    with pa.ipc.new_stream(str(folder / "data.arrow"), table.schema) as stream:
        stream.write_table(table)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}))
    (folder / "dataset_info.json").write_text("{}")
    return folder


def _folder(folder: Path, rows: list[dict[str, Any]]) -> Path:
    _jsonl(folder, rows)
    return folder


WRITERS: dict[str, Write] = {
    "jsonl": _jsonl,
    "csv": _csv,
    "parquet": _parquet,
    "saved": _saved,
    "folder": _folder,
}


@pytest.fixture
def job(new_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch) -> Job:
    job = new_job()
    monkeypatch.setenv("KOLM_HOME", str(job.home))
    (job.folder / "in").mkdir()
    for number in range(2):
        data = (job.folder / f"images/{number}.png").read_bytes()
        (job.folder / f"in/{number}.png").write_bytes(data)
    return job


def _rows(outside: str) -> list[dict[str, Any]]:
    names = ["0.png", outside, "1.png", outside]
    return [{"image": n, "prompt": f"q{i}?", "response": "a"} for i, n in enumerate(names)]


@pytest.mark.parametrize("kind", WRITERS)
def test_every_file_is_confined(job: Job, kind: str) -> None:
    outside = str(job.folder / "images/3.png")
    path = WRITERS[kind](job.folder / "in", _rows(outside))
    job.write_spec(data={"train": str(path)})
    free = gather(job.spec)
    assert (len(free.train.rows().rows), free.train.rows().outside) == (4, 1)
    # The file was read before, and its digest is known: it is looked at again.
    confined = gather(job.spec, settings=["data.confine=true"])
    problems = confined.train.rows().problems
    assert len(problems) == 2
    assert all("which data.confine refuses" in problem.what for problem in problems)
    assert all(outside in problem.what for problem in problems)
    assert confined.keys.training != free.keys.training
    inside = WRITERS[kind](job.folder / "in", _rows("../in/1.png"))
    job.write_spec(data={"train": str(inside), "confine": True})
    for _ in range(2):
        read = gather(job.spec).train.rows()
        assert (len(read.rows), read.outside, read.problems) == (4, 0, ())


def test_rows_from_python_are_confined(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(job.folder / "in")
    (job.folder / "in/link.png").symlink_to(job.folder / "images/3.png")
    rows = _rows("link.png")
    assert len(rows_from_python(rows)) == 4
    with pytest.raises(InputError) as caught:
        rows_from_python(rows, confine=".")
    assert [problem.where for problem in caught.value.problems] == ["rows[1]", "rows[3]"]
    assert len(rows_from_python(_rows("../in/1.png"), confine=job.folder / "in")) == 4


def test_archives_are_confined_in_any_case(job: Job) -> None:
    path, outside = job.folder / "in/rows.tar", str(job.folder / "images/3.png")
    with tarfile.open(path, "w") as archive:
        for number, row in enumerate(_rows(outside)[1:2]):
            data = json.dumps(row).encode()
            member = tarfile.TarInfo(f"{number}.json")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    for confine in ("true", "false"):
        job.write_spec(data={"train": str(path)})
        train = gather(job.spec, settings=[f"data.confine={confine}"]).train.rows()
        assert not train.rows
        assert "no such image file" in train.problems[0].what


def test_both_sides_and_a_folder_s_links_are_told_at_once(job: Job) -> None:
    secret = _jsonl(job.folder, _rows("images/3.png"))
    (job.folder / "in/rows.jsonl").symlink_to(secret)
    rows = [{"image": "../images/4.png", "prompt": "q?", "response": "a"}]
    (job.folder / "asked").mkdir()
    _jsonl(job.folder / "asked", rows)
    job.write_spec(data={"train": "in", "eval": "asked/rows.jsonl"})
    done = job.kolm("validate", "spec.yaml", "--set", "data.confine=true")
    assert done.code == 2
    assert "a link that leads outside" in done.err
    assert "rows.jsonl:1" in done.err
    assert done.err.count("which data.confine refuses") == 2


def test_it_has_no_effect_on_captures_and_a_bundle_says_it(job: Job) -> None:
    job.write_spec(data={"confine": True})
    spec = gather(job.spec).spec
    form = {"train_digest": "0" * 64, "eval_digest": "0" * 64, "base_identity": "base"}
    assert yaml.safe_load(bundle_form(spec, **form))["data"]["confine"] is True
    captured = {"train": "capture:a@train", "eval": "capture:a@eval"}
    job.write_spec(data={**captured, "confine": True})
    done = job.kolm("validate", "spec.yaml")
    assert done.code == 2
    assert "data.confine: has no effect" in done.err
