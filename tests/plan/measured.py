"""The memory that a real step on the CPU takes, as torch's allocator reports it."""

from __future__ import annotations

import itertools
from pathlib import Path

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from kolm_cli.families.base import Family
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.loop import KolmTrainer, training_arguments
from kolm_cli.trainer.loss import make_loss
from kolm_cli.trainer.prepare import prepare


def measured_peak(
    model: nn.Module, family: Family, config: TrainSection, batch: dict[str, torch.Tensor]
) -> int:
    """Bytes of live tensors at the highest point of two optimizer steps on the CPU.

    The engine takes no part: weights and batch are added up, and the allocator tells the profiler
    of everything that comes and goes.
    """
    prepared = prepare(model, family, config, device="cpu")
    wrapped = prepared.model
    full = [p for n, p in wrapped.named_parameters() if p.requires_grad and ".lora_" not in n]
    trainer = KolmTrainer(
        family=family,
        partition=prepared.partition,
        config=config,
        model=wrapped,
        args=training_arguments(config, Path("unused"), cpu=True, workers=0),
        compute_loss_func=make_loss(full),
    )
    optimizer = trainer.create_optimizer()
    micro_batches = config.gradient_accumulation_steps
    items = (batch["labels"] != -100).sum() * micro_batches
    there = {t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in _there(wrapped)}
    batches = [{k: v.clone() for k, v in batch.items()} for _ in range(micro_batches)]
    there |= {
        t.untyped_storage()._cdata: t.untyped_storage().nbytes()
        for each in batches
        for t in each.values()
    }
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        for _ in range(2):
            for each in batches:
                trainer.training_step(wrapped, dict(each), items)
            trainer.accelerator.clip_grad_norm_(wrapped.parameters(), config.max_grad_norm)
            optimizer.step()
            optimizer.zero_grad()
    result = profiled.profiler.kineto_results
    changes = [e.nbytes() for e in sorted(result.events(), key=_when) if e.name() == "[memory]"]
    return sum(there.values()) + max(itertools.accumulate(changes))


def _when(event: object) -> int:
    start: int = event.start_ns()  # type: ignore[attr-defined]
    return start


def _there(model: nn.Module) -> list[torch.Tensor]:
    return [*model.parameters(), *model.buffers()]
