"""A turn that says so is shown to the model and kept out of the loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kolm_cli.encoding.mask_view import marked_text
from kolm_cli.records.conversation import Conversation
from tests.support.cases import Case


def test_an_unlearned_turn_carries_no_loss_and_stays_in_the_text(
    new_case: Callable[..., Case],
) -> None:
    case = new_case("qwen2_5_vl")
    row = case.row(("Color?", "DRAFT-WRONG"), ("Again.", "RIGHT"))
    messages = list(row.conversation.messages)
    messages[1] = replace(messages[1], learn=False)
    kept = replace(row, conversation=Conversation(tuple(messages)))
    plain, marked = (marked_text(case.encoder(), r) for r in (row, kept))
    assert "⟦DRAFT-WRONG" in plain
    assert "⟦RIGHT" in plain
    assert "DRAFT-WRONG" in marked
    assert "⟦DRAFT-WRONG" not in marked
    assert "⟦RIGHT" in marked
    # The same tokens: only the loss differs.
    assert plain.replace("⟦", "").replace("⟧", "") == marked.replace("⟦", "").replace("⟧", "")
