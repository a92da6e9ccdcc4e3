"""What a message says about itself: kept out of the loss, refused, or named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kolm_cli.capture.exporting import Selection, export
from kolm_cli.capture.importing import import_path
from kolm_cli.capture.store import Store
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.formats.fields import ImportedRow
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.formats.reader import RowReader, read_rows
from kolm_cli.records.conversation import Conversation
from tests.capture.helpers import png, write_rows


def turns(**draft: Any) -> dict[str, dict[str, Any]]:
    """Two answers, the first with these keys, in the shapes that have several turns."""
    chat = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "DRAFT", **draft},
        {"role": "user", "content": "again"},
        {"role": "assistant", "content": "RIGHT"},
    ]
    names = {"user": "human", "assistant": "gpt"}
    spoken = [
        {"from": names[m["role"]], "value": m["content"],
         **{k: v for k, v in m.items() if k not in ("role", "content")}}
        for m in chat
    ]  # fmt: skip
    return {
        "openai-finetune": {"messages": chat},
        "trl-messages": {"messages": chat, "images": []},
        "sharegpt": {"conversations": spoken},
        "trl-prompt": {"prompt": chat[:3], "completion": chat[3:], "images": []},
    }


def problems(record: dict[str, Any], folder: Path) -> list[str]:
    found = list(read_rows(write_rows(folder / "r.jsonl", [record])))
    with pytest.raises(InputError):
        rows_from_python([record])
    return [problem.what for problem in found if isinstance(problem, Problem)]


@pytest.mark.parametrize("shape", turns())
@pytest.mark.parametrize(
    ("said", "learn"),
    [
        ({"weight": 0}, False), ({"weight": 0.0}, False), ({"train": False}, False),
        ({"loss": False}, False), ({"weight": 1}, True), ({"train": True}, True),
        ({"loss": None}, True), ({}, True), ({"weight": 0, "train": False}, False),
    ],
)  # fmt: skip
def test_a_turn_can_be_kept_out_of_the_loss(
    shape: str, said: dict[str, Any], learn: bool, tmp_path: Path
) -> None:
    record = turns(**said)[shape]
    (row,) = read_rows(write_rows(tmp_path / "r.jsonl", [record]))
    assert isinstance(row, ImportedRow), row
    assert [m.learn for m in row.conversation.messages] == [True, learn, True, True]
    (python,) = rows_from_python([record])
    assert python.conversation == row.conversation
    again = Conversation.from_json(row.conversation.as_json())
    assert again == row.conversation


def test_a_conversation_whose_turns_are_all_learned_has_the_digest_that_it_had() -> None:
    (row,) = rows_from_python([turns()["trl-messages"]])
    assert "learn" not in str(row.conversation.as_json())
    (other,) = rows_from_python([turns(weight=0)["trl-messages"]])
    assert row.digest != other.digest


@pytest.mark.parametrize("format", ["trl-messages", "trl-prompt", "openai-finetune", "sharegpt",
                                    "parquet", "webdataset"])  # fmt: skip
def test_what_is_not_learned_survives_export_and_import(format: str, tmp_path: Path) -> None:
    source = write_rows(tmp_path / "r.jsonl", [turns(weight=0)["openai-finetune"]])
    suffix = {"parquet": ".parquet", "webdataset": ".tar", "sharegpt": ".json"}
    out = tmp_path / f"out{suffix.get(format, '.jsonl')}"
    with Store.open(tmp_path / "home") as store:
        import_path(store, source, "ns")
        export(store, Selection("ns"), out, format)
        import_path(store, out, "back")
        assert store.namespace_digest("back") == store.namespace_digest("ns")
        (pair,) = store.pairs("back")
        assert not pair.conversation.messages[1].learn
        with pytest.raises(InputError, match="no place for a turn that is not learned"):
            export(store, Selection("ns"), tmp_path / "x.jsonl", "anthropic")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"weight": 0.5}, "weight: 0.5 is neither 0 nor 1"),
        ({"train": "no"}, "train: 'no' is neither 0 nor 1"),
        ({"weight": 0, "train": True}, "weight and train contradict each other"),
        ({"wieght": 0}, "unknown key 'wieght'"),
        ({"loss_scale": 0.3}, "loss_scale: changes what the row means"),
        ({"prefix": True}, "prefix: changes what the row means"),
    ],
)
@pytest.mark.parametrize("shape", turns())
def test_what_could_change_the_meaning_is_refused(
    shape: str, said: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    (what,) = problems(turns(**said)[shape], tmp_path)
    assert expected in what


def test_the_response_itself_must_be_learned_and_a_question_cannot_be(tmp_path: Path) -> None:
    record = turns()["trl-messages"]
    *_, last = record["messages"]
    unlearned = {**record, "messages": [*record["messages"][:-1], {**last, "train": False}]}
    assert "not to be learned" in problems(unlearned, tmp_path)[0]
    asked = {**record["messages"][0], "loss": True}
    asking = {**record, "messages": [asked, *record["messages"][1:]]}
    assert "kolm trains the assistant's messages only" in problems(asking, tmp_path)[0]


@pytest.mark.parametrize(
    "more",
    [
        {"audios": ["x.wav"]},
        {"rejected_response": "b"},
        {"videos": ["x.mp4"]},
    ],
)
def test_keys_of_a_row_that_change_its_meaning_are_refused(
    more: dict[str, Any], tmp_path: Path
) -> None:
    (key,) = more
    (what,) = problems({**turns()["trl-messages"], **more}, tmp_path)
    assert what.startswith(f"the key {key!r} changes what the row means")


def test_size_limits_of_a_text_are_refused(tmp_path: Path) -> None:
    record = turns()["trl-messages"]
    asked = {"role": "user", "content": [{"type": "text", "text": "q", "max_pixels": 3136}]}
    (what,) = problems({**record, "messages": [asked, *record["messages"][1:]]}, tmp_path)
    assert what.startswith("messages[0].content[0].max_pixels: changes what the row means")


def test_other_unknown_keys_are_named_and_harmless_ones_are_not(tmp_path: Path) -> None:
    record = turns(mood="calm", name="bot", tool_calls=None, logprobs=[1])["openai-finetune"]
    reader = RowReader(write_rows(tmp_path / "r.jsonl", [record, record]))
    assert all(isinstance(row, ImportedRow) for row in reader)
    assert reader.foreign == {"messages[].mood": 2}
    with pytest.raises(InputError, match=r"unknown key 'messages\[\].mood'"):
        rows_from_python([record])


@pytest.mark.parametrize("said", [{"trainable": False}, {"ignore": True}, {"no_loss": True}])
def test_other_words_for_the_loss_are_refused(said: dict[str, Any], tmp_path: Path) -> None:
    (key, value), *_ = said.items()
    for record in turns(**said).values():
        (problem,) = problems(record, tmp_path)
        assert f".{key}: changes what the row means" in problem
    for record in turns(**{key: not value}).values():
        (row,) = read_rows(write_rows(tmp_path / "r.jsonl", [record]))
        assert isinstance(row, ImportedRow)


def test_a_part_of_a_message_is_not_kept_out_of_the_loss(tmp_path: Path) -> None:
    asked = {"role": "user", "content": "q"}
    for said in ({"weight": 0}, {"train": False}, {"loss": "no"}):
        part = {"type": "text", "text": "a", **said}
        record = {"messages": [asked, {"role": "assistant", "content": [part]}], "images": []}
        (problem,) = problems(record, tmp_path)
        assert "a message is learned whole, or not at all" in problem


@pytest.mark.parametrize("said", [{"weight": 0}, {"train": False}, {"loss": False}])
def test_a_question_that_ends_its_list_may_say_that_it_is_not_learned(
    said: dict[str, Any], tmp_path: Path
) -> None:
    asked = {"role": "user", "content": "q", **said}
    record = {"prompt": [asked], "completion": [{"role": "assistant", "content": "a"}]}
    (row,) = read_rows(write_rows(tmp_path / "r.jsonl", [record]))
    assert isinstance(row, ImportedRow), row
    assert [m.learn for m in row.conversation.messages] == [True, True]


@pytest.mark.parametrize("key", ["train", "learn", "trainable", "loss"])
@pytest.mark.parametrize("said", [False, "false", "False", 0, "0"])
def test_a_row_that_says_no_is_refused_in_every_spelling(
    key: str, said: object, tmp_path: Path
) -> None:
    record = {"prompt": "q", "response": "a", "images": [], key: said}
    (found,) = read_rows(write_rows(tmp_path / "r.jsonl", [record]))
    # A loss of 0 is a number that somebody measured.
    if key == "loss" and said in (0, "0") and said is not False:
        assert isinstance(found, ImportedRow)
    else:
        assert isinstance(found, Problem)
        assert found.what.startswith(f"the key {key!r} changes what the row means")
    (found,) = read_rows(write_rows(tmp_path / "r.jsonl", [{**record, key: True}]))
    assert isinstance(found, ImportedRow)


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "q", "response": "a", "image": {"path": "0.png", "max_pixels": 3136}},
        {"prompt": "q", "response": "a", "image": "0.png", "resized_height": 28},
        {"messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "0.png", "max_pixels": 3136}}]},
            {"role": "assistant", "content": "a"}]},
        {"messages": [{"role": "user", "content": [
            {"type": "image", "image": {"path": "0.png", "max_pixels": 3136}}]},
            {"role": "assistant", "content": "a"}]},
    ],
)  # fmt: skip
def test_a_size_in_a_place_where_it_is_not_read_is_refused(
    row: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "0.png").write_bytes(png())
    assert any("pixels" in said or "resized_height" in said for said in problems(row, tmp_path))
