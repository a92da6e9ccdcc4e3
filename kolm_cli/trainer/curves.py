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
_RATE = "rate_"


class Pace:
    """How much was done since the line before."""

    def __init__(self) -> None:
        self._at, self._tokens, self._waited = time.monotonic(), 0, 0.0
        self._left_out = 0.0

    def leave_out(self, seconds: float) -> None:
        """So many seconds of the run, altogether, were no training."""
        self._at += seconds - self._left_out
        self._left_out = seconds

    def since(self, trainer: KolmTrainer) -> dict[str, float]:
        """Tokens a second, and the seconds that passed and that were spent waiting for data."""
        now = time.monotonic()
        elapsed = max(now - self._at, 1e-9)
        found = {
            "tokens_per_second": round((trainer.tokens - self._tokens) / elapsed, 1),
            "waited_seconds": round(trainer.waited - self._waited, 4),
            "seconds": round(elapsed, 4),
        }
        self._at, self._tokens, self._waited = now, trainer.tokens, trainer.waited
        return found


class CurveRecorder(TrainerCallback):
    """Writes a line each time that the Trainer logs.

    A line has `step`, `loss` (the mean since the line before), `grad_norm` (before clipping),
    `rates` by part, and what `Pace` tells; or `step`, `eval_loss` and `eval_accuracy`.
    """

    def __init__(self, path: Path, *, active: bool) -> None:
        self._path, self._active = path, active

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Forget what a resumed run will do again."""
        if self._active:
            kept = [line for line in read_curves(self._path) if line["step"] <= state.global_step]
            text = "".join(json.dumps(line) + "\n" for line in kept)
            self._path.write_text(text, encoding="utf-8")

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Write a line."""
        if not self._active or not logs:
            return
        if "eval_accuracy" in logs:
            self._write(state, {k: v for k, v in logs.items() if k.startswith("eval_")})
        if "loss" not in logs:
            return
        line = {key: value for key, value in logs.items() if not key.startswith(_RATE)}
        line.pop("learning_rate", None)
        rates = {k.removeprefix(_RATE): v for k, v in logs.items() if k.startswith(_RATE)}
        self._write(state, {**line, "rates": rates})

    def _write(self, state: Any, line: dict[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"step": state.global_step, **line}) + "\n")


def rates_of(trainer: KolmTrainer) -> dict[str, float]:
    """The learning rate of each part that trains, as it is logged."""
    optimizer = trainer.optimizer
    groups = optimizer.param_groups if optimizer is not None else []
    return {f"{_RATE}{group['part']}": float(group["lr"]) for group in groups}
