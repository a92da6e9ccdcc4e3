"""The loss: cross-entropy at supervised positions only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional

from kolm_cli.encoding.encoded import IGNORE
from kolm_cli.trainer.distributed import joined


def supervised_loss(
    outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
) -> torch.Tensor:
    """Mean cross-entropy over the supervised tokens of the whole optimizer step.

    The model was given `logits_to_keep`, so its logits are [supervised, vocabulary] (or with a
    leading 1) in the order of the batch. Dividing by the count of all micro-batches, instead of
    averaging averages, makes gradient accumulation exact
    (https://github.com/huggingface/transformers/pull/34191).

    Args:
        outputs: the model's outputs.
        labels: [batch, tokens]; the target of position t is at t + 1.
        num_items_in_batch: supervised tokens of all micro-batches and processes of this step;
            None averages over this batch alone.
    """
    targets = labels[:, 1:][labels[:, 1:] != IGNORE]
    logits = outputs["logits"] if isinstance(outputs, dict) else outputs.logits
    logits = logits.reshape(-1, logits.shape[-1]).float()
    if logits.shape[0] != targets.shape[0]:
        raise RuntimeError(
            f"{logits.shape[0]} rows of logits for {targets.shape[0]} supervised tokens:"
            " the model ignored logits_to_keep"
        )
    total = functional.cross_entropy(logits, targets.to(logits.device), reduction="sum")
    count = targets.shape[0] if num_items_in_batch is None else num_items_in_batch
    return total / count


def make_loss(full: Sequence[torch.nn.Parameter]) -> Callable[..., torch.Tensor]:
    """The loss of a run that trains the parameters `full` besides the adapter."""

    def loss(
        outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        return joined(supervised_loss(outputs, labels, num_items_in_batch), full)

    return loss
