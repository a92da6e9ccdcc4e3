"""Property 7: prompt text is cut, and nothing else ever is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kolm_cli.encoding.encoded import RowError
from kolm_cli.encoding.fitting import Side
from kolm_cli.encoding.row_checks import check_rows
from tests.families.helpers import BUDGET, Case, Notes, runs

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
