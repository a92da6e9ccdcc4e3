"""Evaluation between two steps: the best weights are kept, and what no longer improves ends.

transformers' EarlyStoppingCallback and load_best_model_at_end decide by a Trainer's state, which
PEFT's checkpoints do not cover and a verifier cannot repeat; docs/explanation/decisions/0008 says
more. What of the Trainer fits is used: its place for evaluations, its log, its stop.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import TrainerCallback

from kolm_cli.core.progress import Progress
from kolm_cli.records.row import Row, rows_digest
from kolm_cli.scoring.course import Course, Evaluated, Rule, evaluated_steps
from kolm_cli.trainer.distributed import decided_by_first
from kolm_cli.trainer.evidence import GradientLedger, trainable

if TYPE_CHECKING:
    from kolm_cli.trainer.loop import KolmTrainer

BEST_FILE = "best.safetensors"


class TrainingOver(Exception):  # noqa: N818  # a state, not an error of anybody's
    """What a run resumes from was already its end."""


@dataclass(frozen=True)
class Figures:
    """What was found in one evaluation.

    Attributes:
        loss: the mean over the supervised tokens of all rows.
        accuracy: the mean of the metric.
    """

    loss: float
    accuracy: float


@dataclass(frozen=True)
class During:
    """What is evaluated while training.

    Attributes:
        options: the section `evaluate.during`, as the spec in a bundle has it.
        decides: what decides the accuracy beside the rows: the metric, the longest answer.
        rows: what is asked.
        ask: evaluates a model, told of each row that is done; None where it was told to stop.
    """

    options: Mapping[str, Any]
    decides: Mapping[str, Any]
    rows: Sequence[Row]
    ask: Callable[[nn.Module, Callable[[int], None]], Figures | None]

    def identity(self) -> list[Any]:
        """What decides what is found, for the digest of a run."""
        return [dict(self.options), dict(self.decides), rows_digest(list(self.rows))]


@contextlib.contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Whatever is asked meanwhile, training goes on as if nothing had been."""
    modes = [(module, module.training) for module in model.modules()]
    python, numpy = random.getstate(), np.random.get_state()
    device = next(model.parameters()).device
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        for module, training in modes:
            module.training = training


class Evaluating(TrainerCallback):
    """Has a model evaluated at its steps, and decides by what is found.

    Attributes:
        trainer: the trainer, once there is one.
        interrupted: it was told to stop in the middle of an evaluation.
        seconds: the time that evaluations took.
    """

    def __init__(
        self, during: During, model: nn.Module, ledger: GradientLedger, progress: Progress
    ) -> None:
        self.trainer: KolmTrainer | None = None
        self.interrupted = False
        self.seconds = 0.0
        self._during, self._model, self._ledger = during, model, ledger
        self._progress = progress
        self._course = Course(Rule.of(during.options))
        self._best: dict[str, torch.Tensor] = {}
        self._steps: list[int] = []

    # -- when --------------------------------------------------------------------------------------

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Make up for an evaluation that an interruption cut short.

        Raises:
            TrainingOver: nothing is left to train.
        """
        every = self._during.options["every"]
        self._steps = evaluated_steps(every, int(args.num_train_epochs), state.max_steps)
        if self._is_due(state.global_step) and self.trainer is not None:
            self.trainer.evaluate()
        if self.interrupted or self._course.over or state.global_step >= state.max_steps:
            raise TrainingOver

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Ask the Trainer to evaluate, where it is time to."""
        if self._is_due(state.global_step):
            control.should_evaluate = True

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """End the training: it gets no better, or was told to stop, and then resumes here."""
        if self.interrupted:
            control.should_save = True
        if self.interrupted or self._course.over:
            control.should_training_stop = True

    def _is_due(self, step: int) -> bool:
        done = self._course.evaluated
        return step in self._steps and not (done and done[-1].step >= step)

    # -- what --------------------------------------------------------------------------------------

    def evaluate(self) -> dict[str, float]:
        """Evaluate now; returns what is logged, which is nothing after an interruption."""
        if self.trainer is None:
            raise RuntimeError("the evaluation was not given its trainer")
        step, began = self.trainer.state.global_step, time.monotonic()
        count = len(self._during.rows)

        def tell(done: int) -> None:
            self._progress.advance(step, evaluating=f"{done}/{count}")

        with undisturbed(self._model):
            found = self._during.ask(self._model, tell)
        self.seconds += time.monotonic() - began
        # The first process's, so that all end at the same step whatever they would have summed.
        found = decided_by_first(lambda: found)
        if found is None:
            self.interrupted = True
            return {}
        one = Evaluated.of(step, found.loss, found.accuracy, whole=self._ledger.complete)
        best = self._course.take(one)
        if best and self._course.rule.keep == "best":
            self._best = {
                name: parameter.detach().to("cpu", copy=True)
                for name, parameter in trainable(self._model).items()
            }
        self._note(one, best)
        figures = {"eval_loss": one.loss, "eval_accuracy": one.accuracy}
        return {name: value for name, value in figures.items() if value is not None}

    def _note(self, one: Evaluated, best: bool) -> None:
        loss = "not finite" if one.loss is None else f"{one.loss:.4f}"
        text = f"step {one.step}: accuracy {one.accuracy:.4f}, loss {loss}"
        text += f" on {len(self._during.rows)} rows"
        if self._course.rule.chooses and best:
            text += ", the best so far"
        if not one.whole:
            text += "; not every tensor that trains has seen a gradient yet"
        self._progress.note(text)
        if self._course.over and one.step < self._steps[-1]:
            self._progress.note(
                f"stopped early at step {one.step} of {self._steps[-1]}: no improvement in"
                f" {self._course.rule.patience} evaluations"
            )

    def shown(self) -> dict[str, float]:
        """The last evaluation, to be shown beside the steps."""
        if not self._course.evaluated:
            return {}
        return {"eval_accuracy": self._course.evaluated[-1].accuracy}

    # -- what stays --------------------------------------------------------------------------------

    def save(self, checkpoint: Path) -> list[Any]:
        """Leave the best weights in a checkpoint; returns the state for its seal."""
        if self._best:
            save_file(self._best, checkpoint / BEST_FILE)
        return [list(astuple(one)) for one in self._course.evaluated]

    def restore(self, checkpoint: Path, state: Sequence[Any]) -> None:
        """Go on with the decisions that a checkpoint was left with."""
        evaluated = (Evaluated(*one) for one in state)
        self._course = Course.replayed(self._course.rule, evaluated)
        if (checkpoint / BEST_FILE).is_file():
            self._best = load_file(checkpoint / BEST_FILE)

    def keep(self, trained: int) -> int:
        """Give the model the weights that are kept; returns after how many steps they were.

        Args:
            trained: the steps that were trained.
        """
        kept = self._course.kept
        if kept != trained:
            with torch.no_grad():
                for name, parameter in trainable(self._model).items():
                    parameter.copy_(self._best[name])
        return kept

    def facts(self, planned: int, trained: int) -> dict[str, Any]:
        """What the receipt says of it.

        Args:
            planned: the steps of the whole training.
            trained: those that there were.
        """
        done = self._course.evaluated
        incomplete = [one.step for one in done if not one.whole]
        return {
            "options": dict(self._during.options),
            "held_out": self._course.rule.chooses,
            "rows": [
                {"id": row.id, "images": list(row.conversation.images), "sha256": row.digest}
                for row in self._during.rows
            ],
            "steps": [one.step for one in done],
            "loss": [one.loss for one in done],
            "accuracy": [one.accuracy for one in done],
            **({"incomplete": incomplete} if incomplete else {}),
            "steps_planned": planned,
            "steps_trained": trained,
        }
