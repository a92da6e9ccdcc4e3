"""Special tokens in text: the template's are refused, those of an answer are taught and shown."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kolm_cli.encoding.encoded import RowError
from kolm_cli.families.base import QWEN_BOXES
from tests.support.cases import Case, runs

BOX = "<|box_start|>(12,34),(56,78)<|box_end|>"


@pytest.fixture(scope="module")
def grounding(new_case: Callable[..., Case]) -> Case:
    """Qwen2-VL with the tokens of its boxes, as the published tokenizer has them."""
    case = new_case("qwen2_vl")
    case.processor.tokenizer.add_special_tokens(
        {"extra_special_tokens": list(QWEN_BOXES)}, replace_extra_special_tokens=False
    )
    return case


@pytest.mark.parametrize("mark", ["<|im_start|>", "<|endoftext|>", "<|vision_start|>"])
@pytest.mark.parametrize("side", ["question", "answer", "earlier answer", "system"])
def test_what_the_template_owns_is_refused_by_name(grounding: Case, mark: str, side: str) -> None:
    said = {name: name for name in ("question", "answer", "earlier answer", "system")}
    said[side] = f"log: {mark} x"
    row = grounding.row(
        ("First?", said["earlier answer"]),
        (said["question"], said["answer"]),
        system=said["system"],
    )
    with pytest.raises(RowError, match="keeps for itself") as caught:
        grounding.encode(row)
    assert mark in str(caught.value)


def test_boxes_are_taught_asked_and_shown(grounding: Case) -> None:
    encoder = grounding.encoder()
    encoded = encoder.training(grounding.row(("Where?", BOX)))
    assert encoded.labels is not None
    [taught] = list(runs(encoded.labels))
    tokenizer = encoder.tokenizer
    start = tokenizer.convert_tokens_to_ids("<|box_start|>")
    assert start in taught.tolist(), "one token, not its letters"
    assert encoder.decode(taught.tolist()).strip() == BOX
    assert encoder.decode([*taught.tolist(), tokenizer.pad_token_id]).strip() == BOX
