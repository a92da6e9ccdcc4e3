"""Properties 6 and 8: batches of every mixture, and accumulation, change no loss or gradient."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kolm_cli.core.errors import InputError
from kolm_cli.trainer.evidence import GradientLedger
from kolm_cli.trainer.partition import top_modules
from kolm_cli.trainer.vlm import VLMTrainConfig, vlm_trainer
from tests.support.cases import Case, row_losses


def test_a_row_has_the_same_loss_alone_and_in_a_batch(case: Case) -> None:
    model, rows = case.fresh().eval(), case.variety()
    alone = [row_losses(case, model, [row])[0] for row in rows]
    for size in (4, len(rows)):
        for start in range(0, len(rows), size):
            together = row_losses(case, model, rows[start : start + size])
            assert together == pytest.approx(alone[start : start + size], abs=1e-5)
    assert row_losses(case, model, rows[::-1]) == pytest.approx(alone[::-1], abs=1e-5)


def test_rows_of_one_batch_differ(case: Case) -> None:
    """The test above would also pass for a model that ignores its input."""
    losses = row_losses(case, case.fresh().eval(), case.variety())
    assert len({round(loss, 4) for loss in losses}) == len(losses)


def test_the_image_changes_the_loss(pictured: Case) -> None:
    model = pictured.fresh().eval()
    one, other = (pictured.row(("What?", "This."), images=[size]) for size in ((48, 40), (40, 48)))
    assert row_losses(pictured, model, [one]) != row_losses(pictured, model, [other])


def test_no_empty_image_slots(pictured: Case, request: pytest.FixtureRequest) -> None:
    """What the tower sees of a batch is what it sees of its rows, and nothing more."""
    if pictured.family.name == "phi4_multimodal":
        request.applymarker(pytest.mark.xfail(reason="it takes a box of crops only", strict=True))
    model, seen = pictured.fresh().eval(), [0]

    def count(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        first = next(v for v in (*args, *kwargs.values()) if isinstance(v, torch.Tensor))
        seen[0] += first.shape[0]

    _, tower = top_modules(model, pictured.family, "vision")[0]
    tower.register_forward_pre_hook(count, with_kwargs=True)
    rows = pictured.variety()
    for row in rows:
        row_losses(pictured, model, [row])
    alone, seen[0] = seen[0], 0
    row_losses(pictured, model, rows)
    assert seen[0] == alone


def test_a_limit_on_images_is_an_error_and_not_a_cut(
    new_case: Callable[..., Case],
) -> None:
    case = new_case("qwen2_5_vl")
    rows = [case.row(("How many?", "5"), images=[(32, 32)] * 5, name="five"), *case.variety()]
    config = VLMTrainConfig(bf16=False, gradient_accumulation_steps=1)
    with pytest.raises(InputError) as caught:
        vlm_trainer(str(case.folder), rows, config, device="cpu")
    [problem] = caught.value.problems
    assert problem.where == "five"
    assert "5 images" in problem.what
    assert "max_images_per_example is 4" in problem.what
    vlm_trainer(str(case.folder), rows, config, device="cpu", max_images_per_example=5)


class _SeenEnough(Exception):  # noqa: N818  # no error: it ends the training
    """The first gradients are there."""


def _first_gradients(
    case: Case, folder: Path, monkeypatch: pytest.MonkeyPatch, *, size: int, times: int
) -> dict[str, torch.Tensor]:
    caught: dict[str, torch.Tensor] = {}

    def keep(ledger: GradientLedger) -> None:
        named = trainer.model.named_parameters()
        caught.update({n: p.grad.clone() for n, p in named if p.grad is not None})
        raise _SeenEnough

    monkeypatch.setattr(GradientLedger, "look", keep)
    rows = [*case.variety(), *case.variety()][:8]
    trainer = case.trainer(
        rows,
        folder,
        per_device_train_batch_size=size,
        gradient_accumulation_steps=times,
        num_train_epochs=2,
        max_grad_norm=0.0,
    )
    with pytest.raises(_SeenEnough):
        trainer.train()
    return caught


def test_accumulating_eight_rows_gives_the_gradient_of_a_batch_of_eight(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if case.family.name == "qwen3_5":
        # The reason why it is experimental.
        request.applymarker(pytest.mark.xfail(reason="agrees to 1e-4 only", strict=True))
    whole = _first_gradients(case, tmp_path / "a", monkeypatch, size=8, times=1)
    parts = _first_gradients(case, tmp_path / "b", monkeypatch, size=1, times=8)
    assert whole.keys() == parts.keys()
    assert any(gradient.any() for gradient in whole.values())
    for name, gradient in whole.items():
        scale = gradient.norm()
        # LoRA's first matrices see none before the second step.
        assert (parts[name] - gradient).norm() <= 1e-5 * scale + 1e-9, name
