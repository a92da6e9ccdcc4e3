r"""`<image>` in a text: the image goes where the marker is, or the row is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.core.digests import sha256_bytes
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.formats.fields import ImportedRow
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.formats.reader import read_rows
from kolm_cli.formats.shapes import markers
from kolm_cli.records.conversation import Image, Message, Part, Text
from tests.capture.helpers import png, write_rows

DATA = [png((i, 0, 0)) for i in range(3)]
A, B, C = (Image(sha256_bytes(data)) for data in DATA)
NAMES = ["0.png", "1.png", "2.png"]


@pytest.fixture(autouse=True)
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, data in zip(NAMES, DATA, strict=True):
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)


def records(text: str, given: list[str], key: str = "images") -> dict[str, dict[str, Any]]:
    """The same question in every shape that has a place for images beside it."""
    answer = {"role": "assistant", "content": "a"}
    return {
        "messages": {"messages": [{"role": "user", "content": text}, answer], key: given},
        "rows": {"prompt": text, "response": "a", key: given},
        "prompt": {"prompt": text, "completion": "a", key: given},
        "prompt messages": {"prompt": [{"role": "user", "content": text}],
                            "completion": [answer], key: given},
        "conversations": {"conversations": [{"from": "human", "value": text},
                                            {"from": "gpt", "value": "a"}], key: given},
        "messages beside a system prompt": {
            "system": "Be brief.", "messages": [{"role": "user", "content": text}, answer],
            key: given},
        "prompt beside a system prompt": {
            "system": "Be brief.", "prompt": text, "completion": "a", key: given},
    }  # fmt: skip


def one(record: dict[str, Any], folder: Path) -> ImportedRow | list[Problem]:
    found = list(read_rows(write_rows(folder / "r.jsonl", [record])))
    if len(found) == 1 and isinstance(found[0], ImportedRow):
        (python,) = rows_from_python([record])
        assert python.digest == found[0].as_row().digest
        return found[0]
    assert all(isinstance(problem, Problem) for problem in found)
    with pytest.raises(InputError):
        rows_from_python([record])
    return [problem for problem in found if isinstance(problem, Problem)]


PLACED: list[tuple[str, list[str], tuple[Part, ...]]] = [
    ("<image>Before. <image>After. What changed?", NAMES[:2],
     (A, Text("Before. "), B, Text("After. What changed?"))),
    ("What? <image>", NAMES[:1], (Text("What? "), A)),
    ("no marker", NAMES[:2], (A, B, Text("no marker"))),
    ("<image><image><image>", NAMES, (A, B, C)),
    (r"say \<image>", [], (Text("say <image>"),)),
    (r"<image> is \<image>", NAMES[:1], (A, Text(" is <image>"))),
    (r"two: \\<image>", [], (Text(r"two: \<image>"),)),
    (r"\<image>", NAMES[:1], (A, Text("<image>"))),
]  # fmt: skip


@pytest.mark.parametrize("shape", records("", []))
@pytest.mark.parametrize("case", PLACED, ids=lambda case: case[0])
def test_an_image_goes_where_its_marker_is(
    shape: str, case: tuple[str, list[str], tuple[Part, ...]], tmp_path: Path
) -> None:
    text, given, expected = case
    row = one(records(text, given)[shape], tmp_path)
    assert isinstance(row, ImportedRow), row
    *system, asked, _answer = row.conversation.messages
    assert asked.parts == expected
    assert [message.text for message in system] == ["Be brief."] * ("system" in shape)


@pytest.mark.parametrize("shape", records("", []))
@pytest.mark.parametrize(
    ("text", "given", "said"),
    [
        ("<image> or <image>?", NAMES[:1], "2 <image> markers for 1 images"),
        ("<image> and the rest", NAMES[:2], "1 <image> markers for 2 images"),
        ("<image> of nothing", [], "1 <image> markers for 0 images"),
    ],
)
def test_markers_and_images_that_do_not_agree_are_named(
    shape: str, text: str, given: list[str], said: str, tmp_path: Path
) -> None:
    problems = one(records(text, given)[shape], tmp_path)
    assert isinstance(problems, list)
    assert [problem.what for problem in problems] == [said]
    assert r"\<image>" in problems[0].fix


def test_markers_count_over_all_turns_of_a_user_and_in_no_answer(tmp_path: Path) -> None:
    row = one(
        {"images": NAMES[:2], "messages": [
            {"role": "user", "content": "First <image>"},
            {"role": "assistant", "content": "I saw the <image>."},
            {"role": "user", "content": "then <image>"},
            {"role": "assistant", "content": "yes"}]},
        tmp_path,
    )  # fmt: skip
    assert isinstance(row, ImportedRow), row
    assert row.conversation.messages == (
        Message("user", (Text("First "), A)),
        Message("assistant", (Text("I saw the <image>."),)),
        Message("user", (Text("then "), B)),
        Message("assistant", (Text("yes"),)),
    )


def test_a_marker_in_a_text_part_is_text_and_refused_where_it_could_be_meant(
    tmp_path: Path,
) -> None:
    def chat(*parts: dict[str, str]) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": list(parts)},
                             {"role": "assistant", "content": "a"}]}  # fmt: skip

    said = {"type": "text", "text": "<image> what?"}
    row = one({**chat({"type": "image"}, said), "images": NAMES[:1]}, tmp_path)
    assert isinstance(row, ImportedRow)
    assert row.conversation.messages[0].parts == (A, Text("<image> what?"))
    problems = one({**chat(said), "images": NAMES[:1]}, tmp_path)
    assert isinstance(problems, list)
    assert "in a text part, beside images that no part shows" in problems[0].what
    row = one(chat(said), tmp_path)
    assert isinstance(row, ImportedRow)


def test_a_message_with_a_marker_and_no_images_at_all_is_named(tmp_path: Path) -> None:
    chat = [{"role": "user", "content": "<image>?"}, {"role": "assistant", "content": "a"}]
    problems = one({"messages": chat}, tmp_path)
    assert isinstance(problems, list)
    assert "no column of images beside the messages" in problems[0].what


def test_literal_texts_survive_writing_and_reading() -> None:
    for text in ("<image>", r"\<image>", r"a \\<image> b <image>", "plain", "\\"):
        assert markers.place(markers.literal(text), iter(())) == [Text(text)]
        assert markers.count(markers.literal(text)) == 0


def test_the_published_case(tmp_path: Path) -> None:
    record = json.loads(
        '{"messages": [{"role": "user", "content": "<image>Before.\\n<image>After. What changed?"},'
        ' {"role": "assistant", "content": "color"}], "images": ["0.png", "1.png"]}'
    )
    row = one(record, tmp_path)
    assert isinstance(row, ImportedRow)
    assert row.conversation.messages[0].parts == (
        A, Text("Before.\n"), B, Text("After. What changed?"),
    )  # fmt: skip


def test_images_beside_messages_are_read_or_refused_in_any_mixture(tmp_path: Path) -> None:
    """A file has one shape: no row's images may go because the others have none."""

    def chat(number: int, **beside: Any) -> dict[str, Any]:
        asked = {"role": "user", "content": f"q{number}"}
        return {"messages": [asked, {"role": "assistant", "content": "a"}], **beside}

    pictured, worded = chat(0, system="S", images=NAMES[:1]), chat(1, system="S")
    for rows in ([pictured, worded], [worded, pictured]):
        found = list(read_rows(write_rows(tmp_path / "r.jsonl", rows)))
        assert all(isinstance(row, ImportedRow) for row in found), found
        assert sum(len(row.images) for row in found if isinstance(row, ImportedRow)) == 1
    for beside in ({"system": "S"}, {}):
        late = [*(chat(n, **beside) for n in range(30)), chat(30, **beside, images=NAMES[:1])]
        found = list(read_rows(write_rows(tmp_path / "r.jsonl", late)))
        [problem] = [row for row in found if isinstance(row, Problem)]
        assert problem.where == "r.jsonl:31"
        assert problem.what.startswith("images: read in files whose first rows have it")
        read = read_rows(tmp_path / "r.jsonl", format="trl-messages")
        assert all(isinstance(row, ImportedRow) for row in read)


def test_a_marker_beside_anthropic_s_system_prompt_is_named_and_in_a_log_it_is_text(
    tmp_path: Path,
) -> None:
    asked = {"role": "user", "content": "<image>?"}
    answer = {"role": "assistant", "content": "a"}
    problems = one({"system": "S", "messages": [asked, answer]}, tmp_path)
    assert isinstance(problems, list)
    assert "no column of images beside the messages" in problems[0].what
    said = {"content": [{"type": "text", "text": "a"}]}
    row = one({"request": {"system": "S", "messages": [asked]}, "response": said}, tmp_path)
    assert isinstance(row, ImportedRow), row
    assert row.conversation.messages[1].text == "<image>?"
