"""Folders: several sides are not mixed, and what `datasets` wrote is read or named."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.formats.fields import ImportedRow
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.formats.reader import RowReader, read_rows
from tests.capture.helpers import png

ROW = json.dumps({"images": [], "prompt": "q", "response": "a"}) + "\n"
TABLE = "image,prompt,response\n,q,a\n"


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ("train/metadata.jsonl", "test/metadata.jsonl", ROW),
        ("train/rows.jsonl", "validation/rows.jsonl", ROW),
        ("train.jsonl", "test.jsonl", ROW),
        ("train.csv", "eval.csv", TABLE),
        ("data/train-00000-of-00001.jsonl", "data/test-00000-of-00001.jsonl", ROW),
    ],
)
def test_train_and_test_are_not_merged(first: str, second: str, text: str, tmp_path: Path) -> None:
    for name in (first, second):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as caught:
        RowReader(tmp_path)
    (problem,) = caught.value.problems
    assert Path(first).name in problem.what or first.split("/")[0] in problem.what
    assert Path(second).name in problem.what or second.split("/")[0] in problem.what
    assert "one of them" in problem.fix or "name a file" in problem.fix


def test_one_side_alone_or_folders_of_classes_are_read(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "metadata.jsonl").write_text(ROW)
    (tmp_path / "test").mkdir()
    assert len(list(read_rows(tmp_path))) == 1


def dataset(records: list[dict[str, Any]], label: bool = False) -> Any:
    import datasets

    made = datasets.Dataset.from_list(records)
    if "image" in records[0]:
        made = made.cast_column("image", datasets.Image())
    if label:
        made = made.cast_column("response", datasets.ClassLabel(names=["cat", "dog"]))
    return made


@pytest.fixture
def records(tmp_path: Path) -> list[dict[str, Any]]:
    (tmp_path / "0.png").write_bytes(png())
    image = str(tmp_path / "0.png")
    return [
        {"image": image, "prompt": "what is it?", "response": 1},
        {"image": None, "prompt": "and this?", "response": 0},
    ]


def test_what_save_to_disk_wrote_is_read(records: list[dict[str, Any]], tmp_path: Path) -> None:
    made = dataset(records, label=True)
    made.save_to_disk(tmp_path / "saved")
    reader = RowReader(tmp_path / "saved")
    first, second = reader
    assert isinstance(first, ImportedRow)
    assert isinstance(second, ImportedRow)
    assert reader.format == "saved-to-disk, rows"
    assert (first.where, first.conversation.response) == ("saved:1", "dog")
    assert (len(first.conversation.images), len(second.conversation.images)) == (1, 0)
    made.select([1]).save_to_disk(tmp_path / "one")
    (only,) = read_rows(tmp_path / "one")
    assert isinstance(only, ImportedRow)
    assert only.conversation.response == "cat"


def test_splits_that_save_to_disk_wrote_are_named(
    records: list[dict[str, Any]], tmp_path: Path
) -> None:
    import datasets

    made = dataset(records)
    datasets.DatasetDict(train=made, test=made).save_to_disk(tmp_path / "saved")
    with pytest.raises(InputError) as caught:
        RowReader(tmp_path / "saved")
    (problem,) = caught.value.problems
    assert "save_to_disk" in problem.what
    assert problem.fix == f"name one of them: {tmp_path / 'saved/test'}, {tmp_path / 'saved/train'}"
    assert len(list(read_rows(tmp_path / "saved" / "train"))) == 2


def test_a_damaged_or_hostile_save_is_named(records: list[dict[str, Any]], tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    dataset(records).save_to_disk(folder)
    state = json.loads((folder / "state.json").read_text())
    for change in ({"_data_files": [{"filename": "../../etc/passwd"}]}, {"_data_files": 7}, {}):
        text = json.dumps({**state, **change} if change else "x")
        (folder / "state.json").write_text(text)
        (problem,) = read_rows(folder)
        assert isinstance(problem, Problem)
        assert "not readable as save_to_disk writes it" in problem.what


def test_class_labels_are_their_names(records: list[dict[str, Any]], tmp_path: Path) -> None:
    made = dataset(records, label=True)
    made.to_parquet(tmp_path / "t.parquet")
    from_parquet = list(read_rows(tmp_path / "t.parquet"))
    from_python = rows_from_python(made)
    for row, python in zip(from_parquet, from_python, strict=True):
        assert isinstance(row, ImportedRow)
        assert row.conversation.response == python.conversation.response
        assert row.conversation.response in ("cat", "dog")
    # Without the features a label is a number like any other.
    table = pq.read_table(tmp_path / "t.parquet").replace_schema_metadata({})
    pq.write_table(table, tmp_path / "bare.parquet")
    bare = next(iter(read_rows(tmp_path / "bare.parquet")))
    assert isinstance(bare, ImportedRow)
    assert bare.conversation.response == "1"


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "metadata.jsonl", "1.json", "1.png"])
def test_what_is_no_file_is_named(name: str, tmp_path: Path) -> None:
    """A FIFO would hang whoever opens it, and was left out without a word."""
    beside = {"rows": "a.jsonl", "metadata": "deep/metadata.jsonl", "1": "2.json"}
    other = tmp_path / beside[name.split(".")[0]]
    other.parent.mkdir(exist_ok=True)
    other.write_text(ROW)
    os.mkfifo(tmp_path / name)
    found = list(read_rows(tmp_path))
    assert [str(row) for row in found if isinstance(row, Problem)] == [
        f"{name}: not a regular file"
    ]
    assert any(isinstance(row, ImportedRow) for row in found)
