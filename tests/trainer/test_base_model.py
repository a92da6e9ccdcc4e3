"""How the base is loaded: which attention it runs with, and without what training needs not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from kolm_cli.core.errors import InputError, LackingError
from kolm_cli.trainer.base_model import attention_of, check_attention, load_base
from tests.support.cases import Case


def test_the_attention_is_chosen_and_can_be_read_back(new_case: Callable[..., Case]) -> None:
    base = new_case("qwen2_5_vl").base
    assert attention_of(load_base(base, bf16=False)) == "sdpa"
    assert attention_of(load_base(base, bf16=False, attention="eager")) == "eager"


def test_flash_attention_is_refused_where_it_cannot_run() -> None:
    with pytest.raises(InputError, match="flash_attention_2 needs a CUDA device"):
        check_attention("flash_attention_2", "cpu")
    with pytest.raises(LackingError, match="flash_attention_2 is not installed"):
        check_attention("flash_attention_2", "cuda")
    check_attention("sdpa", "cpu")


def test_training_builds_no_cache_of_keys_and_values(
    new_case: Callable[..., Case], tmp_path: Path
) -> None:
    """Qwen2.5-VL reads the setting from the configuration of its text tower."""
    for name in ("qwen2_5_vl", "llava"):
        case = new_case(name)
        rows = [case.row(("What?", "This."))]
        trainer = case.trainer(rows, tmp_path / name)
        batch = case.batch(rows)
        batch.pop("labels")
        with torch.no_grad():
            assert trainer.model(**batch).past_key_values is None, name
            assert case.fresh()(**batch).past_key_values is not None, "or the test shows nothing"
