"""Columns named in a spec, at an import and at an evaluation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.jobs import Compiled, Job

ASKED = "Which hue is this?"
MAPPING = {"image": "photo", "response": "label", "prompt": ASKED}


@pytest.fixture
def job(new_job: Callable[..., Job]) -> Job:
    job = new_job()
    for side in ("train", "eval"):
        lines = (job.folder / f"{side}.jsonl").read_text().splitlines()
        rows = [f"{r['image']},{r['response']}" for r in map(json.loads, lines)]
        (job.folder / f"{side}.csv").write_text("photo,label\n" + "\n".join(rows) + "\n")
    return job


def test_a_spec_names_the_columns(job: Job) -> None:
    sides = {side: {"source": f"{side}.csv", **MAPPING} for side in ("train", "eval")}
    job.write_spec(data=sides)
    done = job.kolm("validate", "spec.yaml", "--show-mask", "1")
    assert done.code == 0, done.err
    assert ASKED in done.out
    assert f"the prompt of every row is '{ASKED}'" in done.err
    # Another mapping of the same file is other data, although the file was read before.
    job.write_spec(data={**sides, "train": {**sides["train"], "prompt": "What hue?"}})
    assert "What hue?" in job.kolm("validate", "spec.yaml", "--show-mask", "1").out


def test_everything_wrong_with_it_is_told_at_its_place(job: Job) -> None:
    job.write_spec(
        data={
            "train": {"source": "gone.csv", "imge": "photo"},
            "eval": {"source": "eval.csv", "image": {"text": "x"}, "response": 3},
        }
    )
    done = job.kolm("validate", "spec.yaml")
    assert done.code == 2
    for said in (
        "data.train.source: there is no file 'gone.csv'",
        "data.train.imge: rows have no field 'imge'",
        "data.eval.image: cannot be one text",
        "data.eval.response: 3 is not the name of a column",
    ):
        assert said in done.err
    job.write_spec(data={"train": {"source": "capture:ns", "image": "photo"}})
    assert "captured pairs have no columns" in job.kolm("validate", "spec.yaml").err
    job.write_spec(data={"train": {"image": "photo"}})
    assert "is not a source of rows" in job.kolm("validate", "spec.yaml").err


def test_a_column_that_is_not_there_is_one_error(job: Job) -> None:
    job.write_spec(data={"train": {"source": "train.csv", **MAPPING, "response": "answer"}})
    done = job.kolm("validate", "spec.yaml", "--json")
    (problem,) = done.json["error"]["problems"]
    assert problem["where"] == "train.csv"
    assert "no column 'answer' (for response); its columns are 'photo', 'label'" in problem["what"]


def test_an_import_names_the_columns(job: Job) -> None:
    options = [
        "--column",
        "image=photo",
        "--column",
        "response=label",
        "--fixed",
        f"prompt={ASKED}",
    ]
    done = job.kolm("capture", "import", "train.csv", "--to", "ns", *options)
    assert done.code == 0, done.err
    assert f"note: the prompt of every row is '{ASKED}'" in done.err
    job.kolm("capture", "export", "ns", "out.jsonl")
    said = [json.loads(line) for line in (job.folder / "out.jsonl").read_text().splitlines()]
    assert {row["prompt"] for row in said} == {ASKED}
    bad = ["--column", "photo", "--column", "imge=photo", "--fixed", "image=x"]
    done = job.kolm("capture", "import", "train.csv", "--to", "ns", *bad)
    assert done.code == 2
    assert done.err.count("error:") == 3


def test_an_evaluation_names_the_columns(compiled: Compiled, tmp_path: Path) -> None:
    pack = tmp_path / "pack.csv"
    lines = (compiled.job.folder / "eval.jsonl").read_text().splitlines()
    rows = [(r["image"], r["response"]) for r in map(json.loads, lines)]
    folder = compiled.job.folder
    pack.write_text("photo,label\n" + "".join(f"{folder / image},{said}\n" for image, said in rows))
    options = ["--column", "image=photo", "--column", "response=label", "--column"]
    done = compiled.job.kolm("eval", compiled.bundle, "--pack", pack, *options, f"prompt={ASKED}")
    assert done.code == 0, done.err
    done = compiled.job.kolm("eval", compiled.bundle, *options, f"prompt={ASKED}")
    assert done.code == 2
    assert "has no effect without --pack" in done.err
