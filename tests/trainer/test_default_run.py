"""A run with the defaults: what is frozen stays, and what was trained comes back from disk."""

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


def test_frozen_parts_keep_every_byte_and_no_gradient(
    case: Case, train: Callable[..., Trained]
) -> None:
    trained = train(case, gradient_checkpointing=True)
    for part in ("vision", "language", "head", "other"):
        assert not any(trained.moved(part).values()), part
    for name, parameter in trained.trainer.model.named_parameters():
        assert parameter.requires_grad or parameter.grad is None, name


def test_vision_leaves_no_graph_under_activation_checkpointing(
    pictured: Case, train: Callable[..., Trained]
) -> None:
    evidence = train(pictured, gradient_checkpointing=True).trainer.receipt()["evidence"]
    assert evidence["projector_calls_observed"] > 0
    assert evidence["projector_inputs_with_gradient_history"] == 0
    assert evidence["adapters_per_part"]["vision"] == 0
