"""Parameter groups with their own learning rates, and how those change over the run."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from kolm_cli.scoring.course import optimizer_steps
from kolm_cli.trainer.partition import Partition, base_name

if TYPE_CHECKING:
    from kolm_cli.spec.model import TrainSection


def parameter_groups(
    model: nn.Module, partition: Partition, config: TrainSection
) -> list[dict[str, Any]]:
    """AdamW groups: `language` (LoRA), `projector`, `vision`, each with and without decay.

    Biases, norms and other vectors are not decayed.
    """
    rates = {
        "language": config.learning_rate,
        "projector": config.projector_learning_rate,
        "vision": config.vision_learning_rate,
    }
    groups: dict[tuple[str, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            key = (partition.parts[base_name(name)], parameter.dim() > 1)
            groups.setdefault(key, []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": rates[part] if rates[part] is not None else config.learning_rate,
            "weight_decay": config.weight_decay if decayed else 0.0,
            "part": part,
        }
        for (part, decayed), parameters in groups.items()
    ]


def rate_factor(kind: str, step: int, warmup: int, total: int) -> float:
    """The factor on a group's learning rate at `step`, after `warmup` linear steps.

    The first step's rate is not zero: in a short run it would be a step that teaches nothing.
    """
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if kind == "constant":
        return 1.0
    progress = (step - warmup) / max(1, total - warmup)
    if kind == "cosine":
        return max(0.0, 0.5 * (1.0 + math.cos(math.pi * progress)))
    return max(0.0, 1.0 - progress)


def make_scheduler(
    optimizer: torch.optim.Optimizer, config: TrainSection, *, warmup: int, total: int
) -> LambdaLR:
    """The schedule of every group.

    `freeze_after_warmup` sets the projector's rate to zero once warm-up is over. It does not
    toggle `requires_grad`: DistributedDataParallel waits for gradients it was told to expect.
    """

    def factor_for(part: str) -> Callable[[int], float]:
        def factor(step: int) -> float:
            if part == "projector" and config.projector == "freeze_after_warmup" and step >= warmup:
                return 0.0
            return rate_factor(config.lr_scheduler_type, step, warmup, total)

        return factor

    return LambdaLR(optimizer, [factor_for(group["part"]) for group in optimizer.param_groups])


def steps_of(rows: int, config: TrainSection, processes: int = 1) -> int:
    """How many optimizer steps a run takes."""
    return optimizer_steps(
        rows,
        config.num_train_epochs,
        config.per_device_train_batch_size,
        config.gradient_accumulation_steps,
        processes,
    )
