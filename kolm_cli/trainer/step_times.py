"""How long optimizer steps took, for the receipt's environment; times never reach a CID."""

from __future__ import annotations

import statistics
import time
from typing import Any

from transformers import TrainerCallback

# The first ones load kernels and fill the allocator.
WARM_UP = 2


class StepTimes(TrainerCallback):
    """Takes the time from the end of a step to the end of the next.

    The host is not made to wait for a GPU: it runs ahead of it by a few kernels, which the middle
    of many steps does not show.
    """

    def __init__(self) -> None:
        self._ended: float | None = None
        self._seconds: list[float] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start anew."""
        self._ended = None
        self._seconds.clear()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take the time."""
        now = time.perf_counter()
        if self._ended is not None:
            self._seconds.append(now - self._ended)
        self._ended = now

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """What was evaluated between two steps is no step's time."""
        self._ended = None

    def as_json(self) -> dict[str, Any] | None:
        """The middle of the steps after the first ones, and between what eight in ten of them are.

        None where there were too few steps to say anything.
        """
        # The first step has no time: nothing ended before it.
        warm = sorted(self._seconds[WARM_UP - 1 :])
        if not warm:
            return None
        tenth = len(warm) // 10
        return {
            "median": round(statistics.median(warm), 6),
            "low": round(warm[tenth], 6),
            "high": round(warm[-1 - tenth], 6),
            "steps": len(warm),
        }
