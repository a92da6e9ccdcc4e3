"""The training step of kolm's own trainer on the meta device, counted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from kolm_cli.families.base import Family
from kolm_cli.plan.counts import StepCounts, WorkByPart
from kolm_cli.plan.follow import Follower
from kolm_cli.plan.gpu_forms import GpuForms, fused_on_meta
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
            self.prepared: Prepared = prepare(model, family, config, device=device)
        self._see_weights()

    def _see_weights(self) -> None:
        """Count the weights as what they are."""
        storages, parts = self.follower.storages, self.prepared.partition.parts
        for name, parameter in self.prepared.model.named_parameters():
            kind = "adapters" if ".lora_" in name else f"base.{parts[base_name(name)]}"
            storages.recount(parameter, kind)
        for _, buffer in self.prepared.model.named_buffers():
            storages.recount(buffer, "buffers")
        storages.begin_peak()

    def count(self, batch: Batch) -> StepCounts:
        """Count a step whose micro-batches are all like `batch`.

        Three micro-batches are run: one whose gradients are new, then the optimizer, then one
        that adds to gradients while the optimizer's state is there. A step of one micro-batch has
        no gradients to add to.

        Args:
            batch: tensors on the CPU, as the collator gives them.
        """
        model, config = self.prepared.model, self.config
        full = [p for n, p in model.named_parameters() if p.requires_grad and ".lora_" not in n]
        trainer = KolmTrainer(
            family=self.family,
            partition=self.prepared.partition,
            config=config,
            model=model,
            args=_arguments(config),
            compute_loss_func=make_loss(full),
        )
        supervised = int((batch["labels"] != -100).sum()) * config.gradient_accumulation_steps
        storages = self.follower.storages
        with self._counting(model):
            optimizer = trainer.create_optimizer()
            items = torch.tensor(supervised).to("meta")
            moved, batches = self._move(batch)
            first = self._micro_batch(trainer, batches[0], items)
            with self.where.phase("optimizer"):
                before = self.follower.work.copy()
                if config.max_grad_norm:
                    trainer.accelerator.clip_grad_norm_(model.parameters(), config.max_grad_norm)
                optimizer.step()
                optimization = self.follower.work.less(before)
            if config.gradient_accumulation_steps == 1:
                optimizer.zero_grad()
            # The optimizer's temporary tensors are gone, and its state is there.
            for state in optimizer.state.values():
                for tensor in state.values():
                    storages.recount(tensor, "optimizer state")
            resident = storages.now()
            later = self._micro_batch(trainer, batches[-1], items)
            peak = storages.peak
            optimizer.zero_grad()
        more = config.gradient_accumulation_steps - 1
        step = moved.plus(first).plus(later, times=more).plus(optimization)
        return StepCounts(
            later, optimization, step, peak, resident, config.gradient_accumulation_steps
        )

    def _move(self, batch: Batch) -> tuple[WorkByPart, list[dict[str, torch.Tensor]]]:
        """All batches of a step: the Trainer fetches them together, before the first is used."""
        before = self.follower.work.copy()
        with self.where.phase("inputs"):
            batches = [
                {key: value.to("meta") for key, value in batch.items()}
                for _ in range(self.config.gradient_accumulation_steps)
            ]
        return self.follower.work.less(before), batches

    def _micro_batch(self, trainer: KolmTrainer, batch: Batch, items: torch.Tensor) -> WorkByPart:
        before = self.follower.work.copy()
        with self.where.phase("loss"):
            trainer.training_step(trainer.model, dict(batch), items)
        for parameter in self.prepared.model.parameters():
            if parameter.grad is not None:
                self.follower.storages.recount(parameter.grad, "gradients")
        return self.follower.work.less(before)

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
            as_on_gpu(model, self.forms, self.where),
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
def as_on_gpu(model: nn.Module, forms: GpuForms, where: Where) -> Iterator[None]:
    """Autocast around the model's forward pass, as accelerate puts it there.

    Rotary positions turn it off for themselves. Layers that are run again for their gradients run
    under it as well.
    """
    from accelerate.utils import convert_outputs_to_fp32

    forward, changed = model.forward, list[tuple[nn.Module, Any]]()

    def cast_forward(*args: Any, **kwargs: Any) -> Any:
        with forms.casting():
            return forward(*args, **kwargs)

    for module in model.modules():
        own = module.forward
        if hasattr(module, "inv_freq"):
            changed.append((module, own))
            module.forward = _within(own, forms.plain)
    model.forward = convert_outputs_to_fp32(cast_forward)
    try:
        yield
    finally:
        model.forward = forward
        for module, own in changed:
            module.forward = own


def _within(forward: Any, context: Any) -> Any:
    def run(*args: Any, **kwargs: Any) -> Any:
        with context():
            return forward(*args, **kwargs)

    return run


def _arguments(config: TrainSection) -> Any:
    """The trainer's own arguments, with the meta device as its device."""
    arguments = training_arguments(config, Path("unused"), cpu=True, workers=0)
    arguments.__dict__["_setup_devices"] = torch.device("meta")
    return arguments
