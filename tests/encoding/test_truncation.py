"""Property 7: prompt text is cut, and nothing else ever is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from kolm_cli.encoding.encoded import RowError
from kolm_cli.encoding.fitting import Side
from kolm_cli.encoding.row_checks import check_rows, note_long_answers
from kolm_cli.records.conversation import Conversation, Message
from tests.support.cases import BUDGET, Case, Notes, runs

PROMPT = " ".join(f"word{n}" for n in range(60))


def _fit(case: Case, budget: int, side: Side = "prompt_start"):  # type: ignore[no-untyped-def]
    row = case.row((PROMPT, "The answer."), name="charts.jsonl:7")
    return row, case.encoder(budget, side=side).training(row)


@pytest.mark.parametrize("side", ["prompt_start", "prompt_end"])
def test_prompt_text_is_cut_and_images_and_answers_are_not(case: Case, side: Side) -> None:
    _row, whole = _fit(case, BUDGET)
    _, cut = _fit(case, whole.tokens - 150, side)
    assert cut.tokens <= whole.tokens - 150
    assert cut.cut == whole.tokens - cut.tokens
    assert cut.image_tokens == whole.image_tokens
    marks = case.family.image_token_ids(case.processor)
    for encoded in (whole, cut):
        assert encoded.labels is not None
        [answer] = runs(encoded.labels)
        end = case.family.end_of_turn(case.processor)
        assert case.decode(answer).lstrip() == f"The answer.{end}"
    count = [sum(t in marks for t in e.sequence["input_ids"].tolist()) for e in (whole, cut)]
    assert count[0] == count[1]
    text = case.decode(cut.sequence["input_ids"])
    assert ("word59" in text, "word0 " in text) == (side == "prompt_start", side == "prompt_end")
    assert {k: v.shape for k, v in cut.images.items()} == {
        k: v.shape for k, v in whole.images.items()
    }


def test_a_cut_row_is_reported(case: Case) -> None:
    row, whole = _fit(case, BUDGET)
    notes, budget = Notes(), whole.tokens - 150
    found = check_rows(case.encoder(budget), [row], progress=notes)
    assert not found.problems
    [facts] = found.rows
    assert (facts.cut >= 150, facts.image_tokens) == (True, whole.image_tokens)
    [note] = [note for note in notes.notes if "cut" in note]
    left = facts.tokens - facts.image_tokens - facts.supervised
    assert note.startswith("charts.jsonl:7: ")
    assert f"{whole.image_tokens} image tokens" in note
    assert f"{left} tokens of text are left" in note


def test_a_row_that_cannot_fit_is_refused_by_name(case: Case) -> None:
    row, whole = _fit(case, BUDGET)
    budget = whole.image_tokens + whole.supervised
    found = check_rows(case.encoder(budget), [row], progress=Notes())
    [problem] = found.problems
    assert problem.where == "charts.jsonl:7"
    assert f"{whole.image_tokens} of images" in problem.what
    assert f"the budget is {budget}" in problem.what


def test_the_smallest_budget_keeps_one_token_of_the_prompt(case: Case) -> None:
    """Between fitting and refusing lies one token, not a gap where rows are silently empty."""
    _, whole = _fit(case, BUDGET)
    smallest = whole.tokens - len(PROMPT) + 1
    _, cut = _fit(case, smallest)
    assert cut.tokens == smallest
    with pytest.raises(RowError, match="cannot reach"):
        _fit(case, smallest - 1)


def test_earlier_answers_stay_whole(new_case: Callable[..., Case]) -> None:
    case = new_case("idefics3")
    row = case.row((PROMPT, "First answer."), (PROMPT, "Second answer."))
    whole = case.encode(row)
    cut = case.encoder(whole.tokens - len(PROMPT) - 20).training(row)
    assert cut.labels is not None
    assert [case.decode(run).strip() for run in runs(cut.labels)] == [
        "First answer.<end_of_utterance>",
        "Second answer.<end_of_utterance>",
    ]


@pytest.mark.parametrize("side", ["prompt_start", "prompt_end"])
def test_the_system_prompt_is_cut_last_and_it_is_said(
    new_case: Callable[..., Case], side: Side
) -> None:
    case = new_case("qwen2_5_vl")
    system = " ".join(f"rule{n}" for n in range(20))
    row = case.row((PROMPT, "The answer."), system=system, name="ruled")
    whole = case.encode(row)
    for cut, kept in ((60, True), (len(PROMPT) + 20, False)):
        notes = Notes()
        encoder = case.encoder(whole.tokens - cut, side=side)
        check_rows(encoder, [row], progress=notes)
        text = case.decode(encoder.training(row).sequence["input_ids"])
        assert (system in text) is kept
        assert ("text of the system prompt among them" in notes.notes[-1]) is not kept


def test_a_prompt_is_cut_when_it_is_asked_as_when_it_is_trained(
    new_case: Callable[..., Case],
) -> None:
    case = new_case("qwen2_5_vl")
    row = case.row((PROMPT, "The answer."))
    for missing in (1, 30, 100):
        encoder = case.encoder(case.encode(row).tokens - missing)
        trained, asked = encoder.training(row), encoder.prompt(row)
        assert trained.cut == asked.cut >= missing
        prompt = asked.sequence["input_ids"].tolist()
        assert trained.sequence["input_ids"].tolist()[: len(prompt)] == prompt


def test_what_was_trained_whole_is_asked_whole(new_case: Callable[..., Case]) -> None:
    """Whatever the answer: somebody who asks has none yet."""
    case = new_case("qwen2_5_vl")
    row = case.row((PROMPT, "A."))
    encoder = case.encoder(case.encode(row).tokens)
    question = row.conversation.messages[:-1]
    unanswered = replace(row, conversation=Conversation((*question, Message("assistant", ()))))
    for asked in (row, unanswered):
        assert encoder.prompt(asked).cut == 0
    # One token less, and each loses text.
    shorter = case.encoder(case.encode(row).tokens - len("A.") - 1)
    assert shorter.prompt(row).cut > shorter.prompt(unanswered).cut > 0


def test_an_answer_that_never_fits_takes_no_room(new_case: Callable[..., Case]) -> None:
    case = new_case("qwen2_5_vl")
    short, long = case.row((PROMPT, "A.")), case.row((PROMPT, "A." * 500))
    encoder = case.encoder(case.encode(short).tokens)
    assert encoder.prompt(long).cut == 0


def test_many_cut_rows_are_counted_after_the_first(new_case: Callable[..., Case]) -> None:
    case, notes = new_case("qwen2_5_vl"), Notes()
    rows = [case.row((PROMPT, "The answer."), name=f"rows:{n}") for n in range(5)]
    check_rows(case.encoder(case.encode(rows[0]).tokens - 100), rows, progress=notes)
    assert len(notes.notes) == 4
    assert notes.notes[-1] == "2 more rows are cut in the same way"


def test_answers_that_can_never_be_given_are_named(new_case: Callable[..., Case]) -> None:
    case, notes = new_case("qwen2_5_vl"), Notes()
    rows = [case.row(("A?", said), name=said.split()[0]) for said in ("ok", "a much longer answer")]
    note_long_answers(case.encoder(), rows, 8, notes)
    [note] = notes.notes
    assert "evaluate.max_new_tokens is 8, and the accepted answers of a need up to" in note
    notes.notes.clear()
    note_long_answers(case.encoder(), rows, 64, notes)
    assert not notes.notes
