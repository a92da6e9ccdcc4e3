"""What both stages share: the optimizer, its schedule, and how progress is told."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

Progress = Callable[[str, int, int, float], None]
"""Called after a step with the stage's name, the step from 1, the number of steps, the loss."""


class Optimiser:
    """AdamW at a learning rate that warms up, stays, and falls to 3 % from 60 % of the way on."""

    def __init__(self, parameters: Iterable[nn.Parameter], *, peak: float, steps: int) -> None:
        self._parameters = list(parameters)
        self._adamw = torch.optim.AdamW(
            self._parameters, lr=peak, betas=(0.9, 0.98), weight_decay=0.01
        )
        warmup = min(100, max(1, steps // 4))
        self._rate = torch.optim.lr_scheduler.LambdaLR(
            self._adamw, lambda step: _factor(step, steps, warmup)
        )

    def step(self, loss: Tensor) -> None:
        """Back-propagate, clip the gradient to norm 1, and take one step."""
        self._adamw.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._adamw.step()
        self._rate.step()


def _factor(step: int, steps: int, warmup: int) -> float:
    """The share of the peak learning rate before the step numbered from 0."""
    if step < warmup:
        return (step + 1) / warmup
    fall = max(0.0, (step / steps - 0.6) / 0.4)
    return 1.0 - 0.97 * min(1.0, fall)
