"""CSV and Parquet: columns that are missing, cells that are empty, numbers, class labels."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kolm_cli.capture.importing import import_path
from kolm_cli.capture.store import Store
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.formats.fields import ImportedRow
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.formats.reader import read_rows
from tests.capture.helpers import png, write_rows

Record = dict[str, Any]


def write(path: Path, records: list[Record]) -> Path:
    """The records as a file of the kind that the suffix says."""
    (path.parent / "a.png").write_bytes(png())
    if path.suffix == ".csv":
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(records[0]))
            writer.writeheader()
            writer.writerows(records)
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    else:
        write_rows(path, records)
    return path


def read(path: Path) -> list[ImportedRow]:
    found = []
    for row in read_rows(path):
        assert isinstance(row, ImportedRow), row
        found.append(row)
    return found


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_missing_column_is_one_error_that_lists_the_columns(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"t.{suffix}", [{"photo": "a.png", "label": "cat"}] * 400)
    with Store.open(tmp_path / "home") as store, pytest.raises(InputError) as caught:
        import_path(store, path, "ns")
    (problem,) = caught.value.problems
    assert problem.what == (
        "there is no column 'image' or 'images' and 'prompt' and 'response' or 'answers'; "
        "its columns are 'photo', 'label'"
    )
    assert problem.where == path.name
    # To leave out every row is no advice.
    assert caught.value.hint == ""


def test_rows_that_can_be_left_out_are_said_to_be(tmp_path: Path) -> None:
    good = {"image": "a.png", "prompt": "q", "response": "a"}
    path = write(tmp_path / "r.jsonl", [good, {**good, "image": "gone.png"}])
    with Store.open(tmp_path / "home") as store, pytest.raises(InputError) as caught:
        import_path(store, path, "ns")
    assert "--skip-bad" in caught.value.hint


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_null_is_none(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records: list[Record] = [
        {"image": "a.png", "prompt": "q", "response": "a", "system": None, "model": None},
        {"image": None, "prompt": "text only", "response": "b", "system": "s", "model": "m"},
        {"image": "a.png", "prompt": None, "response": "c", "system": None, "model": None},
    ]
    if suffix == "csv":
        records = [{k: "" if v is None else v for k, v in r.items()} for r in records]
    rows = read(write(tmp_path / f"t.{suffix}", records))
    assert [len(row.conversation.images) for row in rows] == [1, 0, 1]
    assert [row.conversation.messages[-2].text for row in rows] == ["q", "text only", ""]
    assert [row.model for row in rows] == ["", "m", ""]
    monkeypatch.chdir(tmp_path)
    if suffix == "jsonl":
        from_python = rows_from_python([{k: v for k, v in r.items()} for r in records])
        assert [r.digest for r in from_python] == [r.as_row().digest for r in rows]


def test_null_is_none_in_the_other_shapes_too(tmp_path: Path) -> None:
    chat = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    for record in (
        {"messages": chat, "images": None, "answers": None, "tags": None},
        {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}],
         "image": None, "system": None},
        {"prompt": "q", "completion": "a", "image": None, "answers": None},
    ):  # fmt: skip
        (row,) = read(write(tmp_path / "r.jsonl", [record]))
        assert row.conversation.images == ()
    (row,) = read(write(tmp_path / "r.jsonl", [{"prompt": None, "completion": "a",
                                                "images": ["a.png"]}]))  # fmt: skip
    assert len(row.conversation.images) == 1


@pytest.mark.parametrize("response", [7, 7.5, 0, -3, 10**30])
def test_a_number_as_a_response_is_text(response: float, tmp_path: Path) -> None:
    question = {"role": "user", "content": "q"}
    of_csv = read(write(tmp_path / "t.csv", [{"image": "", "prompt": "q", "response": response}]))
    for record in (
        {"images": [], "prompt": "q", "response": response},
        {"images": [], "prompt": "q", "completion": response},
        {"messages": [question, {"role": "assistant", "content": response}]},
        {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": response}]},
    ):
        (row,) = read(write(tmp_path / "r.jsonl", [record]))
        assert row.conversation == of_csv[0].conversation


@pytest.mark.parametrize("response", [True, False, None, "NaN", [7]])
def test_true_false_null_and_nan_are_no_response(response: object, tmp_path: Path) -> None:
    text = json.dumps({"images": [], "prompt": "q", "response": response})
    path = write_rows(tmp_path / "r.jsonl", [text.replace('"NaN"', "NaN")])
    (problem,) = read_rows(path)
    assert isinstance(problem, Problem)
    assert "response" in problem.what
