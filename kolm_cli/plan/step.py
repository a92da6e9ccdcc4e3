"""The training step of kolm's own trainer on the meta device, counted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from transformers import Trainer

from kolm_cli.encoding.encoded import IGNORE
from kolm_cli.families.base import Family
from kolm_cli.plan.counts import Peak, StepCounts, WorkByPart
from kolm_cli.plan.follow import Follower
from kolm_cli.plan.gpu_forms import GpuForms, fused_on_meta, plain_positions
from kolm_cli.plan.repeated import MicroBatch, RepeatedLayers
from kolm_cli.plan.where import Where
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.loop import KolmTrainer, training_arguments
from kolm_cli.trainer.loss import make_loss
from kolm_cli.trainer.partition import base_name
from kolm_cli.trainer.prepare import Prepared, prepare

Batch = Mapping[str, torch.Tensor]


class CountedStep:
    """A model that is ready to train on the meta device, and what a step on it costs.

    Args:
        model: the base, made by `empty_model`.
        family: its family.
        config: how it is trained.
        device: whose attention and dropout are counted.
    """

    def __init__(
        self,
        model: nn.Module,
        family: Family,
        config: TrainSection,
        *,
        device: Literal["cuda", "cpu"] = "cuda",
    ) -> None:
        self.family, self.config = family, config
        self.where = Where()
        self.follower = Follower(self.where)
        self.forms = GpuForms(bf16=config.bf16, device=device)
        with torch.device("meta"):
            self.prepared = self.prepare(model, device)
        self._see_weights()

    def prepare(self, model: nn.Module, device: Literal["cuda", "cpu"]) -> Prepared:
        """Make the base ready to train, as a real run does."""
        return prepare(model, self.family, self.config, device=device)

    def _see_weights(self) -> None:
        """Count the weights as what they are."""
        storages, parts = self.follower.storages, self.prepared.partition.parts
        for name, parameter in self.prepared.model.named_parameters():
            kind = "adapters" if ".lora_" in name else f"base.{parts[base_name(name)]}"
            storages.recount(parameter, kind)
        for _, buffer in self.prepared.model.named_buffers():
            storages.recount(buffer, "buffers")
        storages.begin_peak()

    def count(self, batch: Batch, *, every_layer: bool = False) -> StepCounts:
        """Count a step whose micro-batches are all like `batch`.

        One micro-batch is run, as it is in the second step: the optimizer has its state, and there
        are gradients to add to, unless the step has a single micro-batch.

        Args:
            batch: tensors on the CPU, as the collator gives them.
            every_layer: run all decoder layers, also where a few give the same counts.
        """
        model, config = self.prepared.model, self.config
        trained = [p for p in model.parameters() if p.requires_grad]
        trainer = self.trainer()
        micro_batches = config.gradient_accumulation_steps
        supervised = int((batch["labels"] != IGNORE).sum()) * micro_batches
        follower, storages = self.follower, self.follower.storages
        with self._counting(model):
            optimizer = trainer.create_optimizer()
            moved, batches, items = self._move(batch, supervised)
            for parameter in trained:
                parameter.grad = torch.zeros_like(parameter)
                storages.recount(parameter.grad, "gradients")
            optimizer.step()
            for state in optimizer.state.values():
                for tensor in state.values():
                    storages.recount(tensor, "optimizer state")
            before, sizes = follower.work.copy(), follower.sizes.copy()
            with self.where.phase("optimizer"):
                if config.max_grad_norm:
                    trainer.accelerator.clip_grad_norm_(trained, config.max_grad_norm)
                optimizer.step()
            optimization = follower.work.less(before)
            optimizer_sizes = follower.sizes - sizes
            if micro_batches == 1:
                optimizer.zero_grad()
            resident, earlier = storages.now(), storages.peak

            def run() -> None:
                with self.where.phase("loss"):
                    trainer.training_step(trainer.model, dict(batches[-1]), items)

            counted = None if every_layer else self._few_layers(run)
            if counted is None:
                if micro_batches == 1:
                    optimizer.zero_grad()
                counted = self._all_layers(run, earlier)
            optimizer.zero_grad()
        later = counted.work
        # The first one has no gradients to add to.
        first = WorkByPart({p: w for p, w in later.parts.items() if p != "accumulate"})
        step = moved.plus(first).plus(later, times=micro_batches - 1).plus(optimization)
        return StepCounts(
            micro_batch=later,
            optimizer=optimization,
            step=step,
            peak=counted.peak,
            resident=resident,
            micro_batches=micro_batches,
            sizes=counted.sizes,
            optimizer_sizes=optimizer_sizes,
        )

    def trainer(self) -> Trainer:
        """The trainer whose step is counted: the one of a real run."""
        model = self.prepared.model
        full = [p for n, p in model.named_parameters() if p.requires_grad and ".lora_" not in n]
        return KolmTrainer(
            family=self.family,
            partition=self.prepared.partition,
            config=self.config,
            model=model,
            args=_arguments(self.config),
            compute_loss_func=make_loss(full),
        )

    def _few_layers(self, run: Callable[[], None]) -> MicroBatch | None:
        """Count a micro-batch by a few of its layers; None where they are not all alike."""
        repeated = RepeatedLayers.of(self.prepared.model, self.family)
        if repeated is None:
            return None
        with repeated.shortened(self.follower, self.forms):
            run()
        return repeated.whole()

    def _all_layers(self, run: Callable[[], None], earlier: Peak) -> MicroBatch:
        follower = self.follower
        before, sizes = follower.work.copy(), follower.sizes.copy()
        run()
        peak = max(earlier, follower.storages.peak, key=lambda peak: peak.bytes)
        return MicroBatch(follower.work.less(before), follower.sizes - sizes, peak)

    def _move(
        self, batch: Batch, supervised: int
    ) -> tuple[WorkByPart, list[dict[str, torch.Tensor]], torch.Tensor]:
        """All batches of a step: the Trainer fetches them together, before the first is used."""
        before = self.follower.work.copy()
        with self.where.phase("inputs"):
            batches = [
                {key: value.to("meta") for key, value in batch.items()}
                for _ in range(self.config.gradient_accumulation_steps)
            ]
            items = torch.tensor(supervised).to("meta")
        return self.follower.work.less(before), batches, items

    @contextlib.contextmanager
    def _counting(self, model: nn.Module) -> Iterator[None]:
        """Everything that makes the meta device stand for a GPU."""
        hooks = [
            parameter.register_post_accumulate_grad_hook(self._is_gradient)  # type: ignore[no-untyped-call]
            for parameter in model.parameters()
            if parameter.requires_grad
        ]
        with (
            fused_on_meta(),
            self.where.watching(model, self.family),
            as_on_gpu(model, self.forms),
            self.follower,
            self.forms,
        ):
            yield
        for hook in hooks:
            hook.remove()

    def _is_gradient(self, parameter: torch.Tensor) -> None:
        if parameter.grad is not None:
            self.follower.storages.recount(parameter.grad, "gradients")


@contextlib.contextmanager
def as_on_gpu(model: nn.Module, forms: GpuForms) -> Iterator[None]:
    """Autocast around the model's forward pass, as accelerate puts it there."""
    from accelerate.utils import convert_outputs_to_fp32

    forward = model.forward

    def cast_forward(*args: Any, **kwargs: Any) -> Any:
        with forms.casting():
            return forward(*args, **kwargs)

    model.forward = convert_outputs_to_fp32(cast_forward)
    try:
        with plain_positions(model, forms):
            yield
    finally:
        model.forward = forward


def _arguments(config: TrainSection) -> Any:
    """The trainer's own arguments, with the meta device as its device."""
    arguments = training_arguments(config, Path("unused"), cpu=True, workers=0)
    arguments.__dict__["_setup_devices"] = torch.device("meta")
    return arguments
