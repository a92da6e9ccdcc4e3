"""transformers' Trainer with our groups, schedule, checkpoints and observations."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainingArguments,
)

from kolm_cli.core.progress import Progress
from kolm_cli.core.seals import seal
from kolm_cli.encoding.encoded import Encoded
from kolm_cli.encoding.encoder import Encoder
from kolm_cli.encoding.refusals import naming
from kolm_cli.families.base import Family
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.adapter_files import load_full_parts, save_full_parts
from kolm_cli.trainer.curves import POINTS, Pace, rates_of
from kolm_cli.trainer.distributed import true_in_any
from kolm_cli.trainer.during import Evaluating
from kolm_cli.trainer.evidence import Evidence, GradientLedger
from kolm_cli.trainer.freeze import GraphWatch
from kolm_cli.trainer.partition import Partition
from kolm_cli.trainer.schedule import make_scheduler, parameter_groups

# How often a step's loss is fetched for display: fetching it makes a GPU wait.
SHOW_EVERY_SECONDS = 0.5
RUN_NAME_VARIABLE = "KOLM_RUN_NAME"


def training_arguments(
    config: TrainSection, folder: Path, *, cpu: bool, workers: int
) -> TrainingArguments:
    """What the Trainer is told; everything that could vary by itself is stated."""
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=config.per_device_train_batch_size,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        num_train_epochs=config.num_train_epochs,
        max_grad_norm=config.max_grad_norm,
        learning_rate=config.learning_rate,
        bf16=config.bf16,
        use_cpu=cpu,
        seed=config.seed,
        data_seed=config.seed,
        save_strategy="steps",
        save_steps=config.save_steps,
        save_total_limit=2,
        logging_strategy="steps",
        # A share of all steps: every one of a short run, every so many of a long one.
        logging_steps=1 / POINTS,
        # Nothing is logged, and looking for NaN in each loss makes a GPU wait.
        logging_nan_inf_filter=False,
        report_to=list(config.report_to),
        # How trackers call the run; the pipeline says more in the environment.
        run_name=os.environ.get(RUN_NAME_VARIABLE, "kolm"),
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
        average_tokens_across_devices=True,
        dataloader_num_workers=workers,
        dataloader_persistent_workers=workers > 0,
        dataloader_pin_memory=not cpu,
        # Every tensor that trains takes part in every step; see `make_loss`.
        ddp_find_unused_parameters=False,
    )
    # With one process and several GPUs the Trainer would turn to DataParallel by itself, and
    # multiply the batch; one process trains on one device.
    _ = arguments.device
    arguments._n_gpu = min(arguments._n_gpu, 1)
    return arguments


# The ids of a batch's rows, beside its tensors.
ROWS = "kolm_rows"


class NamedBatches:
    """Joins encoded rows to a batch that says which rows they are; data workers get a copy."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def __call__(self, rows: Sequence[Encoded]) -> dict[str, Any]:
        """The batch."""
        return {**self._encoder.training_batch(rows), ROWS: [row.row for row in rows]}


class KolmTrainer(Trainer):
    """Groups and schedule of our own, and checkpoints that hold everything that trains."""

    def __init__(
        self, *, family: Family, partition: Partition, config: TrainSection, **kwargs: Any
    ) -> None:
        self.family, self.partition, self.config = family, partition, config
        self.step_loss: torch.Tensor | None = None
        self.tokens = 0
        self.waited = 0.0
        self.pace = Pace()
        self.step_rates: dict[str, float] = {}
        self.evaluating: Evaluating | None = None
        self.control: TrainerControl
        self.optimizer: torch.optim.Optimizer | None
        self.lr_scheduler: torch.optim.lr_scheduler.LRScheduler | None
        super().__init__(**kwargs)
        # It prints what is logged.
        self.remove_callback(PrinterCallback)

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Beside what the Trainer logs: every rate, the pace, the waiting."""
        if "loss" in logs:
            logs = {**logs, **self.pace.since(self), **self.step_rates}
        super().log(logs, *args, **kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """What is found between two steps, logged like what a step gives."""
        if self.evaluating is None:
            raise RuntimeError("nothing is evaluated while this trains")
        figures = self.evaluating.evaluate()
        self.pace.leave_out(self.evaluating.seconds)
        if figures:
            self.log(figures)
        handler = self.callback_handler
        self.control = handler.on_evaluate(self.args, self.state, self.control, figures)
        return figures

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> Any:
        """The batches of a step; counts how long they were waited for."""
        began = time.monotonic()
        samples = super().get_batch_samples(*args, **kwargs)
        self.waited += time.monotonic() - began
        return samples

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """AdamW (arXiv:1711.05101) with a group a part."""
        if self.optimizer is None:
            groups = parameter_groups(model or self.model, self.partition, self.config)
            self.optimizer = torch.optim.AdamW(groups, fused=True)
        return self.optimizer

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """Our schedule: one learning rate a group."""
        if self.lr_scheduler is None:
            self.lr_scheduler = make_scheduler(
                optimizer or self.create_optimizer(),
                self.config,
                warmup=math.ceil(self.config.warmup_ratio * num_training_steps),
                total=num_training_steps,
            )
        return self.lr_scheduler

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any
    ) -> torch.Tensor:
        """One micro-batch; its share of the step's loss is summed for display.

        Raises:
            InputError: the model refuses a row of it.
        """
        with naming(inputs.pop(ROWS, ())):
            loss: torch.Tensor = super().training_step(model, inputs, *args, **kwargs)
        self.step_loss = loss if self.step_loss is None else self.step_loss + loss
        return loss

    def _prepare_inputs(self, inputs: Any) -> Any:
        """Count what a batch holds here: the collator may run in another process."""
        self.tokens += int(inputs["input_ids"].numel())
        return super()._prepare_inputs(inputs)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not estimated: it walks over all parameters at each micro-batch, and nobody reads it."""
        return 0

    def _load_from_checkpoint(
        self, resume_from_checkpoint: str, model: nn.Module | None = None
    ) -> None:
        """PEFT restores the adapter only; the parts that train in full are ours to load."""
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        load_full_parts(model or self.model, self.family, Path(resume_from_checkpoint))


class Observer(TrainerCallback):
    """Watches gradients, writes what checkpoints need, reports progress, obeys a stop."""

    def __init__(
        self,
        *,
        evidence: Evidence,
        ledger: GradientLedger,
        watch: GraphWatch,
        progress: Progress,
        run_digest: str,
        graph_before: dict[str, int] | None,
        should_stop: Callable[[], bool],
    ) -> None:
        self.trainer: KolmTrainer | None = None
        self.stopped = False
        self._evidence, self._ledger, self._watch = evidence, ledger, watch
        self._progress, self._should_stop = progress, should_stop
        self._run_digest, self._graph_before = run_digest, graph_before
        self._began = self._shown = time.monotonic()
        self._first_step = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock, at the step that a resumed run begins with."""
        self._began = self._shown = time.monotonic()
        if self.trainer is not None:
            self.trainer.pace = Pace()
        self._first_step = state.global_step
        self._progress.stage("train", state.max_steps, "steps")

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Gradients of the whole step are complete here, and are cleared right after it."""
        self._ledger.look()
        if self.trainer is not None:
            # When the step is logged, the optimizer has the rates of the next one.
            self.trainer.step_rates = rates_of(self.trainer)
        if state.global_step == self._first_step:
            self._evidence.note_frozen_gradients()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Show the step, and end in order when asked to."""
        trainer = self.trainer
        if trainer is None:
            raise RuntimeError("the observer was not given its trainer")
        now = time.monotonic()
        last = state.global_step == state.max_steps
        if now - self._shown >= SHOW_EVERY_SECONDS or last:
            done = state.global_step - self._first_step
            elapsed = now - self._began
            evaluating = trainer.evaluating
            training = elapsed - (evaluating.seconds if evaluating else 0.0)
            figures = {
                **(evaluating.shown() if evaluating else {}),
                "tokens_per_second": trainer.tokens / max(training, 1e-9),
                "eta_seconds": (state.max_steps - state.global_step) * elapsed / max(1, done),
            }
            if trainer.step_loss is not None:
                figures["loss"] = float(trainer.step_loss)
            self._progress.advance(state.global_step, **figures)
            self._shown = now
        trainer.step_loss = None
        if self._watch.calls:
            # One observation is enough; a first step without images has none.
            self._watch.remove()
        if not last and self._all_should_stop():
            self.stopped = True
            control.should_save = True
            control.should_training_stop = True

    def graph(self) -> dict[str, int]:
        """How many projector calls were seen, and how many of their inputs had history."""
        if self._watch.calls:
            return {"calls": self._watch.calls, "with_history": self._watch.with_history}
        return self._graph_before or {"calls": 0, "with_history": 0}

    def _all_should_stop(self) -> bool:
        """Whether any process was told to stop: all must leave at the same step, or hang."""
        device = self.trainer.args.device if self.trainer else torch.device("cpu")
        return true_in_any(self._should_stop(), device)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Complete the checkpoint with what the Trainer leaves out, then seal it."""
        trainer = self.trainer
        if trainer is None:
            return
        # The other processes write their random states into the same folder.
        trainer.accelerator.wait_for_everyone()
        if not trainer.is_world_process_zero():
            return
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        save_full_parts(trainer.model, trainer.partition, folder)
        evaluating = trainer.evaluating
        seal(
            folder,
            {
                **({"during": evaluating.save(folder)} if evaluating else {}),
                "evidence": self._evidence.start_state(),
                "gradients_seen": sorted(self._ledger.seen),
                "graph": self.graph(),
                "run": self._run_digest,
                "steps_planned": state.max_steps,
            },
        )
