"""`kolm run` asks as rows were trained: a system prompt, turns, images in order, files of them."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.core.errors import InputError
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.pipeline import questions
from kolm_cli.records.conversation import Message, Text
from tests.capture.helpers import png
from tests.support.cases import Case
from tests.support.command import Done
from tests.support.jobs import Compiled


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{n}.png" for n in range(3)]
    for n, path in enumerate(paths):
        path.write_bytes(png((n, 50, 90)))
    return paths


def message(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


# -- what is asked --------------------------------------------------------------------------------


def test_a_question_is_the_row_that_was_trained(
    new_case: Callable[..., Case], images: list[Path]
) -> None:
    case = new_case("qwen2_5_vl")
    encoder = case.encoder()
    for prompt, shown in (("", images[:1]), ("<image> or <image>?", images[:2]), ("q", [])):
        record = {"system": "JSON only.", "images": shown, "prompt": prompt, "response": "a"}
        (row,) = rows_from_python([record])
        asked = questions.turns([prompt], shown, "JSON only.").first
        trained = encoder.training(row).sequence["input_ids"].tolist()
        prompted = encoder.prompt(asked).sequence["input_ids"].tolist()
        assert trained[: len(prompted)] == prompted


def test_images_go_where_the_markers_of_all_questions_stand(images: list[Path]) -> None:
    asked = questions.turns(["A <image>?", "<image> <image>?"], images)
    assert len(asked.first.conversation.images) == 1
    later = asked.next(asked.first, "yes", asked.further[0])
    assert [m.role for m in later.conversation.messages] == ["user", "assistant"] * 2
    assert later.conversation.messages[1] == Message("assistant", (Text("yes"),))
    assert len(later.conversation.images) == 3
    # Without markers they come before the first question.
    assert len(questions.turns(["A?", "B?"], images).first.conversation.images) == 3
    for prompts, shown, what in (
        (["<image>"], [], "1 <image> markers for 0 images"),
        (["a", "<image>"], images[:2], "1 <image> markers for 2 images"),
        ([""], [], "is empty, and there is no --image"),
        (["a", " "], [], "a question after the first is empty"),
    ):
        with pytest.raises(InputError, match=what):
            questions.turns(prompts, shown)


TURNS = [message("system", "Be brief."), message("user", "A?"), message("assistant", "b")]


def test_a_whole_conversation_may_have_any_shape(images: list[Path], tmp_path: Path) -> None:
    parts = [{"type": "image", "image": "0.png"}, {"type": "text", "text": "C?"}]
    file = tmp_path / "asked.json"

    def asked(value: Any, *shown: Path) -> Any:
        file.write_text(json.dumps(value))
        return questions.conversation(str(file), shown).conversation

    wanted = asked([*TURNS, message("user", parts)])
    assert [m.role for m in wanted.messages] == ["system", "user", "assistant", "user", "assistant"]
    assert wanted.response == ""
    assert len(wanted.images) == 1
    marked = message("user", [{"type": "image"}, {"type": "text", "text": "C?"}])
    assert asked([*TURNS, marked], images[0]) == wanted
    assert asked({"messages": [*TURNS, marked], "images": ["0.png"]}) == wanted
    # What was answered before is asked again.
    assert asked([*TURNS, message("user", parts), message("assistant", "d")]) == wanted
    data = [{"type": "image_url", "image_url": {"url": "0.png"}}, {"type": "text", "text": "C?"}]
    assert asked([*TURNS, message("user", data)]) == wanted
    said = [{"from": "human", "value": "<image>C?"}]
    assert asked({"conversations": said, "image": "0.png"}).messages[:-1] == wanted.messages[3:4]
    assert asked({"prompt": "C?", "image": "0.png"}).messages[:-1] == wanted.messages[3:4]
    for wrong, what in (
        ([], "there is no prompt"),
        ([message("assistant", "a")], "there is no prompt"),
        ({"messages": [message("user", "<image>")]}, "no column of images"),
        ("text", "expected an object"),
        ([message("tool", "a")], "is not a role"),
    ):
        with pytest.raises(InputError, match=what):
            asked(wrong)
    with pytest.raises(InputError, match="--image gives others"):
        asked({"messages": [message("user", "a")], "images": ["0.png"]}, images[1])
    file.write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        questions.conversation(str(file), [])
    with pytest.raises(InputError, match="cannot be read"):
        questions.conversation(str(tmp_path / "gone.json"), [])


@pytest.mark.parametrize(
    "record",
    [
        {"image": "0.png", "prompt": "q"},
        {"image": "0.png", "prompt": "q", "response": "", "answers": ["a"]},
        {"images": ["0.png"], "messages": [message("user", "q")]},
        {"image": "0.png", "conversations": [{"from": "human", "value": "q"}]},
        {"image": "0.png", "prompt": [message("user", "q")]},
        {"image": "0.png", "prompt": "q", "completion": "a"},
    ],
)
def test_rows_of_every_shape_need_no_answer(
    record: dict[str, Any], images: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps(record))
    (row,) = questions.rows(str(tmp_path / "rows.jsonl"), None, prompt=None, system="")
    assert row.conversation.response == ""
    assert row.conversation.messages[0].text == "q"
    assert len(row.conversation.images) == 1
    assert row.id == "rows.jsonl:1"


def test_tables_need_no_column_of_answers(images: list[Path], tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("image,prompt\n0.png,q\n1.png,\n")
    found = questions.rows(str(tmp_path / "rows.csv"), None, prompt=None, system="")
    assert [row.conversation.messages[0].text for row in found] == ["q", ""]


def test_each_image_of_a_folder(images: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    for name in ("10.png", "2.png", "deep/a.jpg"):
        (folder / name).write_bytes(images[0].read_bytes())
    (folder / "README.txt").write_text("photos")
    found = questions.rows(str(folder), None, prompt="Which?", system="Short.")
    assert [row.id for row in found] == ["2.png", "10.png", "deep/a.jpg"]
    assert [m.text for m in found[0].conversation.messages] == ["Short.", "Which?", ""]
    with pytest.raises(InputError, match="what is asked about each image"):
        questions.rows(str(folder), None, prompt=None, system="")
    os.mkfifo(folder / "pipe.png")
    with pytest.raises(InputError, match="not a regular file"):
        questions.rows(str(folder), None, prompt="Which?", system="")


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def ask(compiled: Compiled) -> Callable[..., Done]:
    return lambda *more: compiled.job.kolm("run", compiled.bundle, *more)


def test_the_command_asks_a_conversation(ask: Callable[..., Done], images: list[Path]) -> None:
    done = ask("--image", images[0], "--prompt", "", "--system", "JSON only.", "--json")
    assert done.code == 0, done.err
    assert done.json.keys() == {"cid", "response", "finish"}
    done = ask("--prompt", "hue 1?", "--prompt", "Sure?", "--json")
    assert done.code == 0, done.err
    assert len(done.json["responses"]) == 2
    assert done.json["response"] == done.json["responses"][1]["response"]


def test_rows_are_answered_as_the_evaluation_answers(
    ask: Callable[..., Done], compiled: Compiled, tmp_path: Path
) -> None:
    with zipfile.ZipFile(compiled.bundle) as archive:
        lines = archive.read("eval/predictions.jsonl").splitlines()
    wanted = {line["id"]: line["prediction"] or "" for line in map(json.loads, lines)}
    done = ask("--rows", "eval.jsonl")
    assert done.code == 0, done.err
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert {answer["id"]: answer["response"] for answer in answers} == wanted
    out = tmp_path / "answers.jsonl"
    done = ask("--rows", "eval.jsonl", "--out", out, "--batch-size", "3", "--json")
    assert done.json["rows"] == len(wanted)
    assert [json.loads(line) for line in out.read_text().splitlines()] == answers
    assert "exists already" in ask("--rows", "eval.jsonl", "--out", out).err


def test_a_folder_of_images_is_answered_into_a_folder(
    ask: Callable[..., Done], compiled: Compiled, tmp_path: Path
) -> None:
    folder, out = compiled.job.folder / "images", tmp_path / "said"
    done = ask("--rows", folder, "--prompt", "hue 1?", "--out", out)
    assert done.code == 0, done.err
    names = {path.name for path in folder.iterdir()}
    assert {path.name for path in out.iterdir()} == {f"{name}.txt" for name in names}


def test_nothing_is_left_of_what_cannot_be_asked(
    ask: Callable[..., Done], tmp_path: Path, images: list[Path]
) -> None:
    (tmp_path / "rows.jsonl").write_text(
        '{"image": "0.png", "prompt": "q"}\n{"image": "gone.png", "prompt": "q"}\n'
    )
    before = set(tmp_path.iterdir())
    done = ask("--rows", tmp_path / "rows.jsonl", "--out", tmp_path / "out.jsonl")
    assert done.code == 2
    assert "rows.jsonl:2" in done.err
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"no image")
    done = ask("--rows", tmp_path / "bad", "--prompt", "q", "--out", tmp_path / "out")
    assert done.code == 2
    assert "a.png" in done.err
    assert set(tmp_path.iterdir()) - {tmp_path / "bad", tmp_path / "home"} == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "there is no question"),
        (("--messages", "m.json", "--prompt", "q"), "holds the whole conversation"),
        (("--rows", "eval.jsonl", "--image", "a.png"), "--image: has no effect with --rows"),
        (("--prompt", "q", "--out", "o.jsonl"), "--out: has no effect without --rows"),
        (("--prompt", "q", "--column", "image=a"), "--column: has no effect without --rows"),
        (("--rows", "eval.jsonl", "--prompt", "q"), "rows say themselves what is asked"),
        (("--rows", "gone.jsonl"), "there is no file"),
        (("--rows", "eval.jsonl", "--out", "o.csv"), "answers are written as JSON lines"),
    ],
)
def test_options_that_contradict_are_refused(
    ask: Callable[..., Done], options: tuple[str, ...], said: str
) -> None:
    done = ask(*options)
    assert done.code == 2
    assert said in done.err
