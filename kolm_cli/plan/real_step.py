"""The counted step for real, on a device: what plans are held against."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from kolm_cli.encoding.encoded import IGNORE
from kolm_cli.families.base import Family
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.loop import KolmTrainer, training_arguments
from kolm_cli.trainer.loss import make_loss
from kolm_cli.trainer.prepare import prepare


class RealStep:
    """Optimizer steps of kolm's trainer, whose micro-batches are all alike.

    Args:
        model: the base, with memory, on the device.
        family: its family.
        config: how it is trained.
        device: where.
    """

    def __init__(
        self,
        model: nn.Module,
        family: Family,
        config: TrainSection,
        *,
        device: Literal["cuda", "cpu"],
    ) -> None:
        self.config, self.device = config, device
        prepared = prepare(model, family, config, device=device)
        self.model = prepared.model
        named = list(self.model.named_parameters())
        self._trained = [p for _, p in named if p.requires_grad]
        full = [p for name, p in named if p.requires_grad and ".lora_" not in name]
        arguments = training_arguments(config, Path("unused"), cpu=device == "cpu", workers=0)
        self._trainer = KolmTrainer(
            family=family,
            partition=prepared.partition,
            config=config,
            model=self.model,
            args=arguments,
            compute_loss_func=make_loss(full),
        )
        self._wrapped = self._trainer.accelerator.prepare_model(self.model)
        self._optimizer = self._trainer.create_optimizer()

    def seconds(self, batch: Mapping[str, torch.Tensor]) -> float:
        """Do one step, and say how long it took.

        Args:
            batch: tensors on the CPU, as the collator gives them.
        """
        trainer, micro_batches = self._trainer, self.config.gradient_accumulation_steps
        self.settle()
        began = time.perf_counter()
        items = (batch["labels"] != IGNORE).sum().to(self.device) * micro_batches
        moved = [
            {key: value.to(self.device) for key, value in batch.items()}
            for _ in range(micro_batches)
        ]
        for each in moved:
            trainer.training_step(self._wrapped, each, items)
        if self.config.max_grad_norm:
            trainer.accelerator.clip_grad_norm_(self._trained, self.config.max_grad_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.settle()
        return time.perf_counter() - began

    def settle(self) -> None:
        """Wait until the device has done everything."""
        if self.device == "cuda":
            torch.cuda.synchronize()
