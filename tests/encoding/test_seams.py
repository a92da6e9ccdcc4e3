"""The prompt that training shows is, token by token, the prompt that is asked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kolm_cli.encoding.encoded import RowError
from tests.encoding.published_traits import merging_newlines
from tests.support.cases import Case


@pytest.fixture(scope="module")
def merging(new_case: Callable[..., Case]) -> Case:
    return merging_newlines(new_case("qwen2_5_vl"))


def test_an_answer_that_merges_with_the_prompt_is_refused(merging: Case) -> None:
    with pytest.raises(RowError, match=r"begins with '\\n\{.*joins with the end of the prompt"):
        merging.encode(merging.row(("Read it.", '\n{"total": 7}')))


def test_the_same_answer_without_its_newline_is_trained(merging: Case) -> None:
    row = merging.row(("Read it.", '{"total": 7}'))
    trained, asked = merging.encode(row), merging.encoder(None).prompt(row)
    prompt = asked.sequence["input_ids"].tolist()
    assert trained.sequence["input_ids"].tolist()[: len(prompt)] == prompt


def test_an_earlier_answer_is_looked_at_too(merging: Case) -> None:
    with pytest.raises(RowError, match="joins with the end of the prompt"):
        merging.encode(merging.row(("One?", "\n1"), ("Two?", "2")))
