"""How a training went, step by step: `curves.jsonl` in its run folder, never in a bundle.

Times differ from run to run, so none of this may reach the bytes that a CID names.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from kolm_cli.records.curves import read_curves

if TYPE_CHECKING:
    from kolm_cli.trainer.loop import KolmTrainer

# Points of a curve; a longer run keeps every so many steps.
POINTS = 200


class CurveRecorder(TrainerCallback):
    """Writes a line each time that the Trainer logs.

    A line has `step`, `loss` (the mean since the line before), `grad_norm` (before clipping),
    `rates` by group, `tokens_per_second` and `waited_seconds` (for data) since the line before.
    """

    def __init__(self, path: Path, *, active: bool) -> None:
        self.trainer: KolmTrainer | None = None
        self._path, self._active = path, active
        self._at, self._tokens, self._waited = time.monotonic(), 0, 0.0
        self._rates: dict[str, float] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Forget what a resumed run will do again."""
        self._at = time.monotonic()
        if self._active:
            kept = [line for line in read_curves(self._path) if line["step"] <= state.global_step]
            text = "".join(json.dumps(line) + "\n" for line in kept)
            self._path.write_text(text, encoding="utf-8")

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note the rates of this step: when it is logged, they are those of the next."""
        if self.trainer is not None:
            self._rates = rates_of(self.trainer)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Write a line."""
        trainer = self.trainer
        if trainer is None or not logs or "loss" not in logs:
            return
        now = time.monotonic()
        elapsed = max(now - self._at, 1e-9)
        line = {
            "step": state.global_step,
            "epoch": round(float(logs.get("epoch", 0.0)), 4),
            "loss": logs["loss"],
            "grad_norm": logs.get("grad_norm"),
            "rates": self._rates,
            "tokens_per_second": round((trainer.tokens - self._tokens) / elapsed, 1),
            "waited_seconds": round(trainer.waited - self._waited, 4),
            "seconds": round(elapsed, 4),
        }
        self._at, self._tokens, self._waited = now, trainer.tokens, trainer.waited
        logs.update({key: line[key] for key in ("tokens_per_second", "waited_seconds")})
        if self._active:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")


def rates_of(trainer: KolmTrainer) -> dict[str, float]:
    """The learning rate of each part that trains."""
    optimizer = trainer.optimizer
    groups = optimizer.param_groups if optimizer is not None else []
    return {str(group["part"]): float(group["lr"]) for group in groups}
