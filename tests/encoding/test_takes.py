"""What a family declares holds; what it does not declare is refused before training."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kolm_cli.encoding.row_checks import check_rows
from kolm_cli.records.conversation import Conversation, Message, Text
from kolm_cli.records.row import Row
from tests.support.cases import Case, Notes

SHAPES = {
    "text_only": "no image",
    "images": "has an image",
    "several_images": "2 images",
    "several_turns": "2 answers",
    "system": "system prompt",
}


def _row(case: Case, shape: str) -> Row:
    one = [(48, 40)] if case.family.takes.images else []
    match shape:
        case "text_only":
            return case.row(("A?", "a"), images=[])
        case "images":
            return case.row(("A?", "a"), images=[(48, 40)])
        case "several_images":
            return case.row(("A?", "a"), images=[(48, 40), (40, 48)])
        case "several_turns":
            return case.row(("A?", "a"), ("B?", "b"), images=one)
        case _:
            return case.row(("A?", "a"), images=one, system="Be brief.")


@pytest.mark.parametrize("shape", SHAPES)
def test_declared_shapes_pass_and_others_are_refused(case: Case, shape: str) -> None:
    row = _row(case, shape)
    found = check_rows(case.encoder(), [row], progress=Notes())
    if getattr(case.family.takes, shape):
        assert not found.problems
        assert found.rows[0].supervised > 0
    else:
        [problem] = found.problems
        assert problem.where == "row"
        unseen = shape == "several_images" and not case.family.takes.images
        assert SHAPES["images" if unseen else shape] in problem.what


@pytest.mark.parametrize("answer", ["", "  \n"])
def test_an_empty_answer_is_refused(case: Case, answer: str) -> None:
    row = case.row(("A?", "an answer"))
    messages = (*row.conversation.messages[:-1], Message("assistant", (Text(answer),)))
    empty = replace(row, conversation=Conversation(messages))
    found = check_rows(case.encoder(), [empty], progress=Notes())
    assert [(p.where, p.what) for p in found.problems] == [("row", "its response is empty")]


def test_all_bad_rows_are_named_at_once(case: Case) -> None:
    mark = case.family.end_of_turn(case.processor)
    rows = [case.row((f"{mark}?", "a"), name=f"rows:{n}") for n in range(3)]
    rows.insert(1, case.row(("fine?", "yes"), name="fine"))
    found = check_rows(case.encoder(), rows, progress=Notes())
    assert [p.where for p in found.problems] == ["rows:0", "rows:1", "rows:2"]
    assert [facts.id for facts in found.rows] == ["fine"]
