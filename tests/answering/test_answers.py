"""Answering: the same alone and in a batch, and ended by the family's own end token."""

from __future__ import annotations

from typing import Any

import torch

from kolm_cli.answering.answerer import Answer, Answerer
from tests.support.cases import Case


def _answerer(case: Case) -> Answerer:
    return Answerer(case.fresh(), case.encoder(), device="cpu", bf16=False, max_new_tokens=4)


def test_answers_are_the_same_alone_and_in_a_batch(case: Case) -> None:
    """Prompts of different lengths are padded on their left; every step's logits agree."""
    answerer, rows = _answerer(case), case.variety()
    seen: list[torch.Tensor] = []

    def keep(module: Any, args: Any, output: torch.Tensor) -> torch.Tensor:
        seen.append(output[:, -1].clone())
        # The byte tokenizer's ids of printable characters come first, special tokens last.
        return output[..., :94]

    answerer.model.get_output_embeddings().register_forward_hook(keep)  # type: ignore[operator]
    prompts = [answerer.encode(row) for row in rows]
    alone = [answerer.answer([prompt])[0] for prompt in prompts]
    steps = torch.stack(seen).reshape(len(rows), -1, seen[0].shape[-1])
    seen.clear()
    together = answerer.answer(prompts)
    assert together == alone
    assert {answer.finish for answer in alone} == {"length"}, "none of them could end"
    assert torch.allclose(torch.stack(seen, 1), steps, atol=1e-5)
    assert not torch.allclose(steps[0], steps[1], atol=1e-5), "rows that differ look the same"


def test_what_is_answered_is_what_was_trained(case: Case) -> None:
    """The logits of the prompt are those that training sees at the same places."""
    answerer, row = _answerer(case), case.row(("What is it?", "This."))
    asked = answerer.logits(answerer.encode(row))
    batch = case.batch([row])
    batch.pop("labels")
    batch.pop("logits_to_keep")
    with torch.no_grad():
        trained = answerer.model(**batch).logits[0]
    assert torch.allclose(trained[: len(asked)], asked, atol=1e-5)


def test_an_answer_stops_at_the_familys_end_token(case: Case) -> None:
    answerer = _answerer(case)
    tokenizer = case.family.tokenizer(case.processor)
    end = tokenizer.convert_tokens_to_ids(case.family.end_of_turn(case.processor))
    config = answerer.model.generation_config
    assert end in config.eos_token_id  # type: ignore[union-attr, operator]
    forced: list[int] = []

    def always_end(module: torch.nn.Module, args: object, output: torch.Tensor) -> torch.Tensor:
        forced.append(1)
        output = output.clone()
        output[..., end] = output.max() + 1
        return output

    head = answerer.model.get_output_embeddings()  # type: ignore[operator]
    head.register_forward_hook(always_end)  # type: ignore[union-attr]
    assert answerer.answer([answerer.encode(case.row(("What?", "This.")))]) == [Answer(None)]
    assert len(forced) == 1, "it stopped after the first token"
