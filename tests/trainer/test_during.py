"""Evaluated between two steps: training goes on as if it had not been, or ends by what is found."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import PartialState
from safetensors.torch import load_file
from torch import nn

from kolm_cli.records.curves import read_curves
from kolm_cli.run.during import Evaluator
from kolm_cli.scoring.metrics.catalog import choose
from kolm_cli.spec.during import DuringSection
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.adapter_trainer import StoppedEarly, VLMTrainer
from kolm_cli.trainer.devices import Determinism
from kolm_cli.trainer.during import During, Figures
from tests.support.cases import Case, Notes, row_losses

Ask = Callable[[nn.Module, Callable[[int], None]], Figures | None]
# Dropout draws a random number for each value: whatever disturbs their order shows.
CONFIG = TrainSection(
    bf16=False, gradient_accumulation_steps=1, num_train_epochs=2, lora_r=4, lora_dropout=0.2
)


def disturb(model: nn.Module) -> None:
    """What asking may do to a model and to random numbers."""
    model.eval()
    torch.manual_seed(7)
    random.seed(7)
    np.random.seed(7)


class Scripted:
    """Finds what it is told, and keeps the weights that it was asked about."""

    def __init__(self, *found: float | None) -> None:
        self._found = iter(found)
        self.seen: list[dict[str, torch.Tensor]] = []

    def __call__(self, model: nn.Module, tell: Callable[[int], None]) -> Figures | None:
        accuracy = next(self._found)
        if accuracy is None:
            return None
        weights = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
        self.seen.append(weights)
        return Figures(1.0, accuracy)


class Runs:
    """Trainings of the same four rows: eight steps."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case, self.folder, self.progress = case, folder, Notes()
        self.rows = [case.row((f"hue {n}?", "red"), name=f"row {n}") for n in range(4)]
        self.asked = [case.row((f"hue {n}?", "blue"), name=f"asked {n}") for n in range(3)]
        self._made = 0

    def trainer(
        self,
        ask: Ask | None,
        *,
        should_stop: Callable[[], bool] = lambda: False,
        again: bool = False,
        **options: Any,
    ) -> VLMTrainer:
        """A trainer; `again` takes the folder of the one before."""
        self._made += not again
        section = DuringSection(**{"every": "1 steps", "rows": 3, **options})
        told = section.model_dump(mode="json")
        return VLMTrainer(
            self.case.base,
            self.rows,
            CONFIG,
            model=self.case.fresh(),
            encoder=self.case.encoder(None),
            device="cpu",
            folder=self.folder / f"run{self._made}",
            progress=self.progress,
            should_stop=should_stop,
            curves=self.folder / f"curves{self._made}.jsonl",
            during=During(told, {}, self.asked, ask) if ask else None,
        )

    def saved(self, trainer: VLMTrainer) -> dict[str, bytes]:
        target = trainer.save(self.folder / f"saved{self._made}")
        return {path.name: path.read_bytes() for path in target.iterdir()}

    def evaluator(self) -> Evaluator:
        return Evaluator(
            rows=self.asked,
            metric=choose("exact_match", {}),
            encoder=self.case.encoder(None),
            bf16=False,
            max_new_tokens=3,
            batch_size=2,
            state=PartialState(cpu=True),
            determinism=Determinism("cpu"),
            should_stop=lambda: False,
            note=self.progress.note,
        )


@pytest.fixture
def runs(new_case: Callable[..., Case], tmp_path: Path) -> Runs:
    return Runs(new_case("qwen2_5_vl"), tmp_path)


def test_a_training_that_is_watched_is_the_same_training(runs: Runs) -> None:
    plain = runs.trainer(None).train()
    before = runs.saved(plain)
    evaluator = runs.evaluator()

    def ask(model: nn.Module, tell: Callable[[int], None]) -> Figures | None:
        disturb(model)
        return evaluator(model, tell)

    watched = runs.trainer(ask, every="0.75 epochs").train()
    assert runs.saved(watched) == before
    receipt = watched.receipt()
    assert receipt["evidence"] == plain.receipt()["evidence"]
    during = receipt["during"]
    assert during["held_out"] is False
    assert during["steps"] == [3, 6, 8]
    assert (during["steps_planned"], during["steps_trained"]) == (8, 8)
    # The loss is that of the rows under the family's own masks, whatever batches they came in.
    losses = row_losses(runs.case, watched.model.eval(), runs.asked)
    tokens = [runs.case.encode(row).supervised for row in runs.asked]
    mean = sum(loss * count for loss, count in zip(losses, tokens, strict=True)) / sum(tokens)
    assert during["loss"][-1] == pytest.approx(mean, rel=1e-4)
    assert during["loss"][-1] < during["loss"][0]
    lines = read_curves(runs.folder / "curves2.jsonl")
    evaluated = [line for line in lines if "eval_loss" in line]
    assert [line["step"] for line in evaluated] == during["steps"]
    assert [line["eval_loss"] for line in evaluated] == during["loss"]
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 9))
    assert "step 3: accuracy 0.0000, loss" in runs.progress.notes[0]
    assert "during" not in plain.receipt()


def test_the_best_weights_are_what_is_saved_and_told_of(runs: Runs) -> None:
    ask = Scripted(0.2, 0.8, 0.5, 0.8)
    trainer = runs.trainer(ask, every="2 steps", keep="best").train()
    evidence, during = trainer.receipt()["evidence"], trainer.receipt()["during"]
    assert evidence["optimizer_steps"] == 4
    assert during["steps_trained"] == 8
    assert during["held_out"] is True
    for name, weight in trainer.model.named_parameters():
        if weight.requires_grad:
            assert torch.equal(weight, ask.seen[1][name])
            assert not torch.equal(weight, ask.seen[-1][name])
    runs.saved(trainer)
    stored = load_file(runs.folder / "saved1" / "projector.safetensors")
    kept = ask.seen[1]
    assert all(any(torch.equal(one, other) for other in kept.values()) for one in stored.values())


# Before the second step LoRA's first matrices saw no gradient: the first evaluation cannot be kept.
FOUND = (0.9, 0.8, 0.5, 0.8)
CHOOSING: dict[str, Any] = {"keep": "best", "early_stopping": {"patience": 2}}


@pytest.fixture(scope="module")
def whole(
    new_case: Callable[..., Case], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """What a training leaves that nothing interrupts."""
    runs = Runs(new_case("qwen2_5_vl"), tmp_path_factory.mktemp("whole"))
    trainer = runs.trainer(Scripted(*FOUND), **CHOOSING).train()
    assert runs.progress.notes[-1] == (
        "stopped early at step 4 of 8: no improvement in 2 evaluations"
    )
    return runs.saved(trainer), trainer.receipt()


def test_training_ends_when_it_gets_no_better(
    whole: tuple[dict[str, bytes], dict[str, Any]],
) -> None:
    during = whole[1]["during"]
    assert (during["steps"], during["incomplete"]) == ([1, 2, 3, 4], [1])
    assert (during["steps_trained"], during["steps_planned"]) == (4, 8)
    assert whole[1]["evidence"]["optimizer_steps"] == 2


def at(step: int) -> Callable[[], bool]:
    """Told to stop once after so many steps."""
    asked: Iterator[bool] = iter([False] * (step - 1) + [True] + [False] * 99)
    return lambda: next(asked)


@pytest.mark.parametrize(
    ("found", "stop", "left"),
    [
        (FOUND[:3], at(3), FOUND[3:]),
        ((*FOUND[:2], None), lambda: False, FOUND[2:]),
        (FOUND, at(4), ()),
    ],
    ids=["between two", "within one", "after the last"],
)
def test_a_resumed_run_goes_on_with_its_decisions(
    runs: Runs,
    whole: tuple[dict[str, bytes], dict[str, Any]],
    found: tuple[float | None, ...],
    stop: Callable[[], bool],
    left: tuple[float, ...],
) -> None:
    with pytest.raises(StoppedEarly):
        runs.trainer(Scripted(*found), should_stop=stop, **CHOOSING).train()
    torch.manual_seed(12345)
    resumed = runs.trainer(Scripted(*left), again=True, **CHOOSING).train()
    assert (runs.saved(resumed), resumed.receipt()) == whole
    lines = read_curves(runs.folder / "curves1.jsonl")
    assert [line["step"] for line in lines if "eval_loss" in line] == [1, 2, 3, 4]


def test_a_stop_in_the_last_evaluation_leaves_no_step_to_resume_at(runs: Runs) -> None:
    with pytest.raises(StoppedEarly):
        runs.trainer(Scripted(0.5, None), every="4 steps").train()
    runs.trainer(Scripted(0.5), again=True, every="4 steps").train()
    assert "resuming after step 8, the last one" in runs.progress.notes


def test_another_rule_is_another_run(runs: Runs) -> None:
    with pytest.raises(StoppedEarly):
        runs.trainer(Scripted(0.5, None), keep="best").train()
    with pytest.raises(Exception, match="a checkpoint of another run"):
        runs.trainer(Scripted(0.5), again=True, keep="best", metric="loss").train()
