"""Boxes, points and names that rows carry, in every shape and both ways."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.capture.exporting import Selection, export
from kolm_cli.capture.importing import import_path
from kolm_cli.capture.store import Store
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.formats.fields import ImportedRow
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.formats.reader import read_rows
from kolm_cli.records.conversation import Box, Conversation, Image, Reference, Text
from tests.capture.helpers import png, write_rows

ASKED, SAID = "Find <ref-object>.", '[{"bbox_2d": <bbox>}, {"point_2d": <bbox>}]'
OBJECTS = {"ref": ["dog"], "bbox": [[1, 2, 6, 4.5], [3, 4]]}
SIZE = (8, 5)


def shapes(asked: str = ASKED, said: str = SAID) -> dict[str, dict[str, Any]]:
    """The same row in every shape that may carry boxes."""
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
    part = {"type": "image", "image": "a.png"}
    inline = [
        {"role": "user", "content": [part, {"type": "text", "text": asked}]},
        {"role": "assistant", "content": said},
    ]
    spoken = [{"from": "human", "value": asked}, {"from": "gpt", "value": said}]
    return {
        "rows": {"image": "a.png", "prompt": asked, "response": said},
        "trl-messages": {"messages": messages, "images": ["a.png"]},
        "inline": {"messages": inline},
        "trl-prompt": {"prompt": messages[:1], "completion": messages[1:], "images": ["a.png"]},
        "sharegpt": {"conversations": spoken, "image": "a.png"},
    }


@pytest.fixture(autouse=True)
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(png((1, 2, 3), SIZE))
    monkeypatch.chdir(tmp_path)


def read(record: dict[str, Any]) -> Conversation:
    (row,) = read_rows(write_rows(Path("r.jsonl"), [record]))
    assert isinstance(row, ImportedRow), row
    (python,) = rows_from_python([record])
    assert python.conversation == row.conversation
    assert Conversation.from_json(json.loads(json.dumps(row.conversation.as_json()))) == (
        row.conversation
    )
    return row.conversation


def wrong(record: dict[str, Any]) -> list[str]:
    found = list(read_rows(write_rows(Path("r.jsonl"), [record])))
    with pytest.raises(InputError):
        rows_from_python([record])
    return [problem.what for problem in found if isinstance(problem, Problem)]


@pytest.mark.parametrize("shape", shapes())
@pytest.mark.parametrize(
    "beside",
    [
        {"objects": OBJECTS},
        {"objects": {**OBJECTS, "bbox_type": "real", "image_id": [0, 0]}},
        {"objects": {"ref": ["dog"], "bbox": [[0.125, 0.4, 0.75, 0.9], [0.375, 0.8]],
                     "bbox_type": "norm1"}},
        {"objects": json.dumps(OBJECTS)},
    ],
)  # fmt: skip
def test_ms_swift_s_objects_go_where_the_text_says(shape: str, beside: dict[str, Any]) -> None:
    conversation = read({**shapes()[shape], **beside})
    asked, said = conversation.messages
    assert [type(part) for part in asked.parts] == [Image, Text, Reference, Text]
    assert [part for part in said.parts if isinstance(part, Box)] == [
        Box.at((1, 2, 6, 4.5)), Box.at((3, 4)),
    ]  # fmt: skip
    assert conversation.response == '[{"bbox_2d": [1, 2, 6, 4.5]}, {"point_2d": [3, 4]}]'
    assert asked.text == "Find dog."


@pytest.mark.parametrize(
    ("boxes", "unit"),
    [
        ([[1, 2, 6, 4.5], [3, 4]], "pixels"),
        ([[125, 400, 750, 900], [375, 800]], "0-1000"),
        ([{"box": [0.125, 0.4, 0.75, 0.9]}, {"box": [0.375, 0.8], "image": 0}], "0-1"),
        ("[[1, 2, 6, 4.5], [3, 4]]", "pixels"),
    ],
)
def test_kolm_s_own_boxes(boxes: Any, unit: str) -> None:
    record = {**shapes("Find it.")["rows"], "boxes": boxes, "boxes_in": unit}
    assert [box.values for box in read(record).boxes] == [(1, 2, 6, 4.5), (3, 4)]


def test_boxes_are_of_the_upright_picture_and_of_the_image_that_they_name(tmp_path: Path) -> None:
    from tests.formats.helpers import jpeg_turned

    (tmp_path / "turned.jpg").write_bytes(jpeg_turned())  # 20 x 10 on its side: 10 x 20
    record = {
        "images": ["a.png", "turned.jpg"],
        "prompt": "?",
        "response": "<bbox>",
        "boxes": [{"box": [0.5, 0.5, 1, 1], "image": 1}],
        "boxes_in": "0-1",
    }
    assert read(record).boxes == (Box.at((5, 10, 10, 20), 1),)


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ({"objects": {**OBJECTS, "bbox": OBJECTS["bbox"][:1]}}, "2 <bbox> markers for 1 boxes"),
        ({"objects": {"bbox": OBJECTS["bbox"]}}, "1 <ref-object> markers for 0 names"),
        ({}, "2 <bbox> markers for 0 boxes"),
        ({"objects": None}, "2 <bbox> markers for 0 boxes"),
        ({"objects": {**OBJECTS, "bbox": [[1, 2, 11, 4], [3, 4]]}}, "outside its image of 8 x 5"),
        ({"objects": {**OBJECTS, "bbox": [[6, 2, 1, 4], [3, 4]]}}, "has no area"),
        ({"objects": {**OBJECTS, "bbox": [[6, 2, 1], [3, 4]]}}, "expected [x1, y1, x2, y2]"),
        ({"objects": {**OBJECTS, "bbox": [["1", 2, 3, 4], [3, 4]]}}, "expected numbers"),
        ({"objects": {**OBJECTS, "bbox": [[True, 2, 3, 4], [3, 4]]}}, "expected numbers"),
        ({"objects": {**OBJECTS, "image_id": [0, 1]}}, "the row has no image 1"),
        ({"objects": {**OBJECTS, "image_id": [0]}}, "1 image_ids for 2 boxes"),
        ({"objects": {**OBJECTS, "bbox_type": "yolo"}}, "'yolo' is not a unit"),
        ({"objects": {**OBJECTS, "categories": [3]}}, "'categories' is not one that kolm reads"),
        ({"objects": [1]}, "objects: expected an object"),
        ({"objects": {**OBJECTS, "ref": [""]}}, "objects.ref[0]: is empty"),
        ({"objects": OBJECTS, "boxes": [[1, 2, 3, 4]]}, "has both"),
        ({"objects": OBJECTS, "boxes_in": "0-1"}, "boxes_in without boxes"),
        ({"boxes": [[1, 2, 3, 4]] * 2, "boxes_in": "cm"}, "'cm' is not a unit"),
        ({"objects": OBJECTS, "answers": ["<bbox>"]}, "<bbox> is read in the response only"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(beside: dict[str, Any], said: str) -> None:
    found = wrong({**shapes()["rows"], **beside})
    assert any(said in what for what in found), found


def test_a_logged_call_has_no_boxes() -> None:
    record = {
        "request": {"messages": [{"role": "user", "content": "<bbox> is a tag"}]},
        "response": {"choices": [{"message": {"role": "assistant", "content": "so it is"}}]},
    }
    (row,) = read_rows(write_rows(Path("r.jsonl"), [record]))
    assert isinstance(row, ImportedRow)
    assert row.conversation.messages[0].text == "<bbox> is a tag"
    assert "no meaning in a logged call" in wrong({**record, "objects": OBJECTS})[0]


def test_text_that_looks_like_a_marker_is_escaped() -> None:
    record = {**shapes("\\<bbox>, \\\\<ref-object>", "a \\<bbox>")["rows"]}
    conversation = read(record)
    assert conversation.messages[0].text == "<bbox>, \\<ref-object>"
    assert conversation.response == "a <bbox>"


@pytest.mark.parametrize(
    "format",
    ["rows", "csv", "trl-messages", "trl-prompt", "parquet", "webdataset", "imagefolder",
     "sidecar", "sharegpt", "openai-finetune"],
)  # fmt: skip
def test_boxes_survive_export_and_import(format: str, tmp_path: Path) -> None:
    record = {**shapes(said=SAID + " \\<bbox>")["rows"], "objects": OBJECTS}
    source = write_rows(tmp_path / "r.jsonl", [record, {**shapes("q", "a")["rows"]}])
    suffix = {"csv": ".csv", "parquet": ".parquet", "webdataset": ".tar", "sharegpt": ".json",
              "imagefolder": "", "sidecar": ""}  # fmt: skip
    out = tmp_path / f"out{suffix.get(format, '.jsonl')}"
    with Store.open(tmp_path / "home") as store:
        import_path(store, source, "ns")
        export(store, Selection("ns"), out, format)
        import_path(store, out, "back")
        assert store.namespace_digest("back") == store.namespace_digest("ns")
        (pair, *_) = store.pairs("back")
        assert len(pair.conversation.boxes) == 2
        with pytest.raises(InputError, match="anthropic has no place for boxes"):
            export(store, Selection("ns"), tmp_path / "x.jsonl", "anthropic")
