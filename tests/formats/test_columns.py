"""Columns that do not have kolm's names: the same in every format, and from Python."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.formats.columns import columns_of, wrong_in
from kolm_cli.formats.fields import ImportedRow
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.formats.reader import RowReader
from kolm_cli.records.conversation import Conversation, Image
from tests.capture.helpers import png

ASKED = "Which digit is this?"
MAPPING = {"image": "photo", "response": "label", "prompt": ASKED}
PNGS = [png((i, 0, 0)) for i in range(3)]
RECORDS = [{"photo": f"{i}.png", "label": str(i + 4)} for i in range(3)]


def _csv(path: Path) -> Path:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(RECORDS[0]))
        writer.writeheader()
        writer.writerows(RECORDS)
    return path


def _lines(path: Path) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in RECORDS))
    return path


def _array(path: Path) -> Path:
    path.write_text(json.dumps(RECORDS))
    return path


def _parquet(path: Path) -> Path:
    rows = [{"photo": {"bytes": PNGS[i], "path": None}, "label": i + 4} for i in range(3)]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def _saved(path: Path) -> Path:
    rows = [{"photo": {"bytes": PNGS[i], "path": None}, "label": i + 4} for i in range(3)]
    datasets.Dataset.from_list(rows).save_to_disk(str(path))
    return path


def _folder(path: Path) -> Path:
    path.mkdir()
    for i, data in enumerate(PNGS):
        (path / f"{i}.png").write_bytes(data)
    _csv(path / "a.csv")
    return path


def _tar(path: Path) -> Path:
    with tarfile.open(path, "w") as archive:
        for i, data in enumerate(PNGS):
            record = json.dumps({"label": str(i + 4), "photo": f"{i}.png"}).encode()
            for name, content in ((f"{i}.png", data), (f"{i}.json", record)):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


WRITERS: dict[str, Callable[[Path], Path]] = {
    "t.csv": _csv, "t.jsonl": _lines, "t.json": _array, "t.parquet": _parquet,
    "saved": _saved, "folder": _folder, "t.tar": _tar,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i, data in enumerate(PNGS):
        (tmp_path / f"{i}.png").write_bytes(data)
    return tmp_path


def read(path: Path, **mapping: Any) -> list[ImportedRow | Problem]:
    assert not [*wrong_in(mapping)]
    return [*RowReader(path, columns=columns_of(mapping))]


def conversations(rows: list[Any]) -> Iterator[Conversation]:
    for row in rows:
        assert not isinstance(row, Problem), row
        yield row.conversation


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_of_every_format_can_have_its_own_columns(name: str, folder: Path) -> None:
    rows = [*conversations(read(WRITERS[name](folder / name), **MAPPING))]
    assert [row.response for row in rows] == ["4", "5", "6"]
    assert {row.messages[0].text for row in rows} == {ASKED}
    assert [[type(p) for p in row.messages[0].parts][:1] for row in rows] == [[Image]] * 3


@pytest.mark.parametrize("name", WRITERS)
def test_a_column_that_is_not_there_is_one_error_with_the_columns(name: str, folder: Path) -> None:
    path = WRITERS[name](folder / name)
    (problem,) = read(path, image="photo", response="answer", prompt=ASKED)
    assert isinstance(problem, Problem)
    assert problem.what.startswith("there is no column 'answer' (for response); its columns are")
    assert "'label'" in problem.what
    assert problem.kind == "missing-column"


def test_the_columns_of_an_imagefolder_have_both_their_names(folder: Path) -> None:
    lines = [json.dumps({"file_name": f"{i}.png", "label": str(i + 4)}) for i in range(3)]
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    said = {"response": "label", "prompt": ASKED}
    for mapping in (said, {**said, "image": "file_name"}, {**said, "image": "image"}):
        rows = [*conversations(read(folder, **mapping))]
        assert [len(row.images) for row in rows] == [1, 1, 1]
    (folder / "metadata.jsonl").unlink()
    (folder / "metadata.csv").write_text("file_name,label\n0.png,4\n1.png,5\n2.png,6\n")
    rows = [*conversations(read(folder, **said, image="file_name"))]
    assert [len(row.images) for row in rows] == [1, 1, 1]
    (problem,) = read(folder)
    assert "'prompt' and 'response' or 'answers'" in str(problem)


def test_every_table_of_a_folder_is_judged_by_its_own_columns(folder: Path) -> None:
    _csv(folder / "a.csv")
    (folder / "b.csv").write_text("picture,label\n" + "0.png,4\n" * 50)
    problems = [row for row in read(folder, **MAPPING) if isinstance(row, Problem)]
    assert [p.where for p in problems] == ["b.csv"]
    # Without a mapping too.
    assert [p.where for p in read(folder) if isinstance(p, Problem)] == ["a.csv", "b.csv"]


def test_a_word_is_a_column_and_a_sentence_may_be_the_text(folder: Path) -> None:
    path = _csv(folder / "t.csv")
    plain = {"image": "photo", "response": "label"}
    (problem,) = read(path, **plain, prompt="OCR")
    assert isinstance(problem, Problem)
    assert problem.fix.endswith("for one text in every row write prompt: {text: OCR}")
    rows = [*conversations(read(path, **plain, prompt={"text": "OCR"}))]
    assert rows[0].messages[0].text == "OCR"
    (problem,) = read(path, **plain, prompt={"column": ASKED})
    assert isinstance(problem, Problem)
    # A column of that name comes first.
    path.write_text(path.read_text().replace("photo,label", f"photo,{ASKED}"))
    rows = [*conversations(read(path, image="photo", response=ASKED, prompt={"text": "q"}))]
    assert [row.response for row in rows] == ["4", "5", "6"]


def test_columns_with_kolms_names_need_no_mapping(folder: Path) -> None:
    path = folder / "t.csv"
    path.write_text("photo,prompt,response,system\n0.png,q,a,s\n,q,b,\n")
    rows = [*conversations(read(path, image="photo"))]
    assert [len(row.images) for row in rows] == [1, 0]
    assert [row.messages[0].role for row in rows] == ["system", "user"]


def test_a_line_that_lacks_a_column_is_named(folder: Path) -> None:
    path = _lines(folder / "t.jsonl")
    with path.open("a") as stream:
        stream.write('{"photo": null, "label": "none"}\n{"label": "gone"}\n')
    *good, none, gone = read(path, **MAPPING)
    assert len([*conversations([*good, none])]) == 4
    assert str(gone) == "t.jsonl:5: the key 'photo' is missing; it was named for image"


def test_messages_and_conversations_can_be_named_too(folder: Path) -> None:
    turns = [{"role": "user", "content": "<image>q"}, {"role": "assistant", "content": "a"}]
    path = folder / "t.jsonl"
    path.write_text(json.dumps({"chat": turns, "pictures": ["0.png"]}))
    (row,) = conversations(read(path, messages="chat", images="pictures"))
    assert row.response == "a"
    assert len(row.images) == 1


def test_rows_from_python(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    of_file = [*conversations(read(_csv(folder / "t.csv"), **MAPPING))]
    table = datasets.Dataset.from_list(RECORDS)
    for given in (RECORDS, iter(RECORDS), table):
        assert [row.conversation for row in rows_from_python(given, MAPPING)] == of_file
    for given in (RECORDS, table):
        with pytest.raises(InputError) as caught:
            rows_from_python(given, {**MAPPING, "response": "answer"})
        assert len(caught.value.problems) == 1
        assert "its columns are 'photo', 'label'" in str(caught.value)
    with pytest.raises(InputError) as caught:
        rows_from_python(table)
    assert len(caught.value.problems) == 1
    with pytest.raises(InputError, match=r"rows have no field 'reponse'; did you mean response"):
        rows_from_python(table, {"reponse": "label"})


@pytest.mark.parametrize(
    ("mapping", "field", "what"),
    [
        ({"imge": "photo"}, "imge", "no field 'imge'"),
        ({"image": 3}, "image", "not the name of a column"),
        ({"image": ""}, "image", "not the name of a column"),
        ({"image": {"text": "a.png"}}, "image", "cannot be one text"),
        ({"prompt": {"text": "a", "column": "b"}}, "prompt", "neither"),
        ({"prompt": {"text": 7}}, "prompt", "is not text"),
        ({"image": "a", "images": "b"}, "images", "both"),
    ],
)
def test_what_a_mapping_may_not_say(mapping: dict[str, Any], field: str, what: str) -> None:
    (wrong,) = wrong_in(mapping)
    assert wrong.field == field
    assert what in wrong.what
