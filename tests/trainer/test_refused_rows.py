"""A row that the model itself refuses is named, in preflight where that can be known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.answering.answerer import Answerer
from kolm_cli.core.errors import InputError, KolmError
from kolm_cli.encoding.refusals import naming
from kolm_cli.encoding.row_checks import check_rows
from tests.support.cases import Case, Notes


def test_a_token_that_the_model_does_not_know_is_named_in_preflight(
    new_case: Callable[..., Case],
) -> None:
    """A tokenizer that got tokens which the weights never got."""
    case = new_case("qwen2_5_vl")
    rows = [case.row(("A?", "b"), name="good"), case.row(("Was?", "über"), name="bad")]
    known = case.base.vocabulary
    assert known
    encoder = replace(case.encoder(), vocabulary=known)
    assert not check_rows(encoder, rows, progress=Notes()).problems
    ids = set(case.encode(rows[0]).sequence["input_ids"].tolist())
    highest = max(ids - encoder.image_token_ids)
    [first, _] = check_rows(replace(encoder, vocabulary=highest), rows, progress=Notes()).problems
    assert first.where == "good"
    assert f"has the number {highest}, and the model knows {highest}" in first.what
    asked = check_rows(
        replace(encoder, vocabulary=highest), rows, progress=Notes(), prompts_only=True
    )
    assert {problem.where for problem in asked.problems} == {"good", "bad"}


def test_a_row_is_named_when_it_is_answered(new_case: Callable[..., Case]) -> None:
    case = new_case("qwen2_5_vl")
    answerer = Answerer(case.fresh(), case.encoder(), device="cpu", bf16=False, max_new_tokens=2)
    bad = case.row(("xxx?", "b"), name="pack.jsonl:7")

    def refuse(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        raise ValueError("Image features and image tokens do not match")

    answerer.model.register_forward_pre_hook(refuse, with_kwargs=True)
    with pytest.raises(InputError) as caught:
        answerer.answer([answerer.encode(bad)])
    (problem,) = caught.value.problems
    assert problem.where == "pack.jsonl:7"
    assert problem.what.startswith("the model refuses it: ValueError: Image features and image")


def test_a_row_is_named_when_it_is_trained(new_case: Callable[..., Case], tmp_path: Path) -> None:
    case = new_case("qwen2_5_vl")
    rows = [case.row((f"{n}?", "b"), name=f"train.jsonl:{n}") for n in range(8)]
    trainer = case.trainer(rows, tmp_path / "run", per_device_train_batch_size=1)

    def refuse(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        raise IndexError("index out of range in self")

    trainer.model.register_forward_pre_hook(refuse, with_kwargs=True)
    with pytest.raises(InputError, match=r"train.jsonl:\d: the model refuses it: IndexError"):
        trainer.train()


def test_what_is_not_about_rows_stays_what_it_is() -> None:
    for error in (
        RuntimeError("x does not have a deterministic implementation"),
        RuntimeError("DataLoader worker (pid 7) is killed"),
        KolmError("told already"),
        KeyboardInterrupt(),
    ):
        with pytest.raises(type(error)) as caught, naming(["a"]):
            raise error
        assert caught.value is error
    with pytest.raises(ValueError, match="plain"), naming([]):
        raise ValueError("plain")
    with pytest.raises(KolmError) as told, naming([str(n) for n in range(20)]):
        raise RuntimeError("CUDA error: device-side assert triggered")
    assert not isinstance(told.value, InputError)
    assert "one of these rows" in str(told.value)
