"""Values as tables, pandas and numpy spell them mean the same through every way in."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.formats.fields import ImportedRow
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.formats.reader import read_rows
from tests.capture.helpers import png

ROW = {"image": "a.png", "prompt": "q", "response": "a"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "a.png").write_bytes(png())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parquet(folder: Path, **columns: Any) -> list[ImportedRow | Problem]:
    pq.write_table(pa.table({k: [v] for k, v in ROW.items()} | columns), folder / "t.parquet")
    return list(read_rows(folder / "t.parquet"))


def lines(folder: Path, record: dict[str, Any]) -> list[ImportedRow | Problem]:
    (folder / "t.jsonl").write_text(json.dumps(record))
    return list(read_rows(folder / "t.jsonl"))


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        (pa.array([0.1], pa.float32()), np.float32(0.1), "0.1"),
        (pa.array([Decimal("1.50")]), Decimal("1.50"), "1.50"),
        (pa.array([2.5], pa.float16()), np.float16(2.5), "2.5"),
        (pa.array([7], pa.uint8()), np.uint8(7), "7"),
    ],
)
def test_a_number_has_the_digits_of_its_column(
    column: Any, value: Any, said: str, folder: Path
) -> None:
    (of_file,) = parquet(folder, response=column)
    (of_python,) = rows_from_python([{**ROW, "response": value}])
    assert isinstance(of_file, ImportedRow)
    assert of_file.conversation.response == of_python.conversation.response == said


def test_further_answers_may_be_numbers(folder: Path) -> None:
    (row,) = lines(folder, {"image": "a.png", "prompt": "q", "answers": [7, 7.5]})
    assert isinstance(row, ImportedRow)
    assert (row.conversation.response, row.answers) == ("7", ("7.5",))
    (row,) = lines(folder, {**ROW, "answers": 8})
    assert isinstance(row, ImportedRow)
    assert row.answers == ("8",)


def test_every_spelling_of_null_is_none(folder: Path) -> None:
    nothing = pa.array(
        [{"bytes": None, "path": None}], pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    )
    for column in (nothing, pa.nulls(1), pa.array([None], pa.string())):
        (row,) = parquet(folder, image=column)
        assert isinstance(row, ImportedRow)
        assert row.conversation.images == ()
    for value in (None, float("nan"), pd.NA, pd.NaT):
        (of_python,) = rows_from_python([{**ROW, "image": value}])
        assert of_python.conversation.images == ()


def test_tables_of_pandas_and_lists_of_numpy(folder: Path) -> None:
    table = pd.DataFrame([ROW, {**ROW, "image": None}])
    assert [len(row.conversation.images) for row in rows_from_python(table)] == [1, 0]  # type: ignore[arg-type]
    record = {**ROW, "image": None, "images": np.array(["a.png", "a.png"])}
    (row,) = rows_from_python([{**record, "answers": np.array(["a", "b"])}])
    assert len(row.conversation.images) == 2
    assert row.answers == ("b",)
    (row,) = rows_from_python([{**ROW, "image": bytearray(png())}])
    assert len(row.conversation.images) == 1
    with pytest.raises(InputError, match="found a mapping of columns") as caught:
        rows_from_python({"image": ["a.png"], "prompt": ["q"], "response": ["a"]})  # type: ignore[arg-type]
    assert len(caught.value.problems) == 1


def test_a_row_that_is_not_to_be_learned_is_refused(folder: Path) -> None:
    for key in ("train", "loss"):
        (problem,) = lines(folder, {**ROW, key: False})
        assert isinstance(problem, Problem)
        assert f"{key!r} changes what the row means" in problem.what
        # A figure, or a word about the row, says nothing of the kind.
        for value in (True, 0.25, "yes", None):
            (row,) = lines(folder, {**ROW, key: value})
            assert isinstance(row, ImportedRow)


def test_an_image_named_within_the_text_is_refused(folder: Path) -> None:
    said = "Picture 1: <img>a.png</img> What is it?"
    turns = [{"from": "user", "value": said}, {"from": "assistant", "value": "a"}]
    for record in ({**ROW, "prompt": said}, {"conversations": turns}):
        (problem,) = lines(folder, record)
        assert isinstance(problem, Problem)
        assert "names an image within its text" in problem.what
    # HTML has no closing tag, and what a log says is text.
    (row,) = lines(folder, {**ROW, "prompt": 'Write <img src="a.png"> in HTML.'})
    assert isinstance(row, ImportedRow)
