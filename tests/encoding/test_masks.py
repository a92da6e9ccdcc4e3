"""Property 5: exactly the answers and their end tokens carry loss."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kolm_cli.encoding.encoded import IGNORE, RowError
from kolm_cli.encoding.mask_view import marked_text
from kolm_cli.records.row import Row
from tests.support.cases import Case, runs
from tests.support.kinds import that_take


def _answers(row: Row) -> list[str]:
    return [m.text.strip() for m in row.conversation.messages if m.role == "assistant"]


def _check(case: Case, row: Row) -> None:
    encoded = case.encode(row)
    labels, ids = encoded.labels, encoded.sequence["input_ids"]
    assert labels is not None
    end = case.family.end_of_turn(case.processor)
    decoded = [case.decode(run) for run in runs(labels)]
    assert all(text.endswith(end) for text in decoded)
    # Templates differ in what they do with white space around an answer.
    assert [text.removesuffix(end).strip() for text in decoded] == _answers(row)
    wanted = labels != IGNORE
    assert (ids[wanted] == labels[wanted]).all()
    quiet = case.decode(ids[~wanted])
    for message in row.conversation.messages:
        if message.role != "assistant":
            assert message.text.strip() in quiet


def test_a_single_turn(case: Case) -> None:
    _check(case, case.row(("What is shown?", "A chart.")))


def test_an_answer_that_also_stands_in_the_question(case: Case) -> None:
    _check(case, case.row(("Say yes: yes", "yes")))


def test_answers_with_white_space_around_them(case: Case) -> None:
    _check(case, case.row(("How many?", "  42\n")))


@that_take("several_turns")
def test_several_turns(case: Case) -> None:
    _check(case, case.row(("One?", "1"), ("Two?", "2 2"), ("One?", "1")))


@that_take("system")
def test_a_system_prompt(case: Case) -> None:
    _check(case, case.row(("Who?", "Me."), system="Be brief."))


@that_take("system", "several_turns")
def test_several_turns_under_a_system_prompt(case: Case) -> None:
    _check(case, case.row(("A?", "a"), ("B?", "b"), system="Be brief."))


@that_take("several_images")
def test_several_images(case: Case) -> None:
    _check(case, case.row(("Both?", "Two."), images=[(40, 40), (90, 32)]))


def test_the_start_token_stands_as_often_as_the_tokenizer_wants(case: Case) -> None:
    """Once where it adds one, else only where the template writes it; never doubled."""
    tokenizer = case.family.tokenizer(case.processor)
    start = tokenizer.bos_token_id
    row = case.row(("What?", "This."))
    ids = case.encode(row).sequence["input_ids"].tolist()
    written = case.family.render(
        case.processor, case.family.messages(row.conversation), prompt=False
    )
    adds = tokenizer("x")["input_ids"][0] == start
    writes = bool(tokenizer.bos_token) and written.startswith(tokenizer.bos_token)
    assert (ids[0] == start) == (adds or writes)
    assert start is None or ids[1] != start


def test_training_shows_what_answering_shows(case: Case) -> None:
    """The prompt, token by token, is the beginning of what was trained on."""
    turns = [("One?", "1"), ("Two?", "22")] if case.family.takes.several_turns else [("A?", "a")]
    row = case.row(*turns)
    trained = case.encode(row)
    assert trained.labels is not None
    last = list(runs(trained.labels))[-1]
    asked = case.encoder().prompt(row)
    ids = trained.sequence["input_ids"].tolist()
    prompt = asked.sequence["input_ids"].tolist()
    assert ids[: len(prompt)] == prompt
    assert ids[len(prompt) : len(prompt) + len(last)] == last.tolist()


def test_image_tokens_are_counted_and_carry_no_loss(pictured: Case) -> None:
    encoded = pictured.encode(pictured.row(("What?", "This.")))
    marks = pictured.family.image_token_ids(pictured.processor)
    ids = encoded.sequence["input_ids"].tolist()
    assert encoded.labels is not None
    assert 0 < sum(token in marks for token in ids) <= encoded.image_tokens
    assert not marks & set(encoded.labels.tolist())


def test_text_that_the_model_keeps_for_itself_is_refused(case: Case) -> None:
    for mark in case.family.reserved(case.processor):
        for row in (
            case.row((f"what is {mark}?", "this")),
            case.row(("what is it?", f"this {mark} and that")),
        ):
            with pytest.raises(RowError, match="keeps for itself") as caught:
                case.encode(row)
            assert mark in str(caught.value)


def test_the_reserved_marks_hold_the_placeholder_and_the_end(pictured: Case) -> None:
    reserved = pictured.family.reserved(pictured.processor)
    assert pictured.processor.image_token in reserved
    assert pictured.family.end_of_turn(pictured.processor) in reserved


def test_the_mask_as_it_is_shown(new_case: Callable[..., Case]) -> None:
    case = new_case("llava")
    row = case.row(("What?", "This."))
    text = marked_text(case.encoder(999), row)
    assert text.rstrip() == "<s>USER: <4 image tokens>\nWhat? ASSISTANT:⟦ This.</s>⟧"


def test_the_day_does_not_change_what_is_trained(
    new_case: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Templates that name today would make tomorrow's run another one."""
    for name, variant in (("text", "llama3"), ("mistral3", "")):
        case = new_case(name, variant)
        assert "2024" in case.decode(case.encode(case.row(("A?", "a"))).sequence["input_ids"])
