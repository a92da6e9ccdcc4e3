"""Time of a training step with and without the tower's kept output, as a ratio of one run."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import torch

from kolm_cli.demo import BASE
from kolm_cli.demo.data import write_chart_data
from kolm_cli.trainer.vlm import VLMTrainConfig, vlm_trainer

ROWS, EPOCHS = 128, 4


def seconds_per_epoch(rows: list[dict[str, object]], *, cached: bool) -> float:
    """Training time over the number of epochs; the first one fills the cache."""
    config = VLMTrainConfig(
        bf16=False,
        cache_vision=cached,
        lora_dropout=0.0,
        per_device_train_batch_size=32,
        gradient_accumulation_steps=1,
        num_train_epochs=EPOCHS,
        learning_rate=2e-3,
    )
    trainer = vlm_trainer(str(BASE), rows, config, device="cpu")
    began = time.perf_counter()
    trainer.train()
    return (time.perf_counter() - began) / EPOCHS


def main() -> None:
    """Print the ratio."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        path = write_chart_data(Path(name), style="B", rows=ROWS, seed=1)
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for row in rows:
            row["image"] = Path(name) / row["image"]
        without = seconds_per_epoch(rows, cached=False)
        cached = seconds_per_epoch(rows, cached=True)
    sys.stdout.write(
        f"epoch without cache {without:.2f} s, with {cached:.2f} s: ratio {cached / without:.2f}\n"
    )


if __name__ == "__main__":
    main()
