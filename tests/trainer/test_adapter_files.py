"""What is saved comes back bitwise; a missing or unexpected tensor is fatal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from kolm_cli.core.errors import VerificationError
from kolm_cli.trainer.adapter_files import load_adapter
from tests.support.cases import Case, logits_of
from tests.trainer.trained import Trained, assert_same_logits


def test_an_unfrozen_tower_comes_back_bitwise(
    pictured: Case, train: Callable[..., Trained]
) -> None:
    trained = train(pictured, freeze_vision=False, vision_learning_rate=3e-4)
    assert_same_logits(trained)


def test_the_adapter_comes_back_bitwise(case: Case, train: Callable[..., Trained]) -> None:
    assert_same_logits(train(case, gradient_checkpointing=True))


def test_the_projector_matters_after_reload(pictured: Case, train: Callable[..., Trained]) -> None:
    """Without its file the logits are others: it is not only saved, it has its effect."""
    trained = train(pictured, gradient_checkpointing=True)
    hidden = trained.folder / "hidden"
    (trained.folder / "projector.safetensors").rename(hidden)
    try:
        adapter_only = load_adapter(pictured.fresh(), pictured.family, trained.folder)
    finally:
        hidden.rename(trained.folder / "projector.safetensors")
    rows = pictured.variety()[:2]
    whole = logits_of(pictured, trained.trainer.model, rows)
    assert not torch.equal(logits_of(pictured, adapter_only, rows), whole)


@pytest.mark.parametrize("file", ["projector.safetensors", "adapter_model.safetensors"])
@pytest.mark.parametrize("wrong", ["missing", "unexpected"])
def test_a_missing_or_unexpected_tensor_is_fatal(
    new_case: Callable[..., Case],
    train: Callable[..., Trained],
    tmp_path: Path,
    file: str,
    wrong: str,
) -> None:
    trained = train(new_case("llava_next"), gradient_checkpointing=True)
    for path in trained.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    tensors = load_file(tmp_path / file)
    first = min(tensors)
    kept = tensors.pop(first)
    if wrong == "unexpected":
        tensors |= {first: kept, f"{first}.more": kept.clone()}
    save_file(tensors, tmp_path / file, metadata={"format": "pt"})
    case = trained.case
    with pytest.raises(VerificationError, match=wrong):
        load_adapter(case.fresh(), case.family, tmp_path)
