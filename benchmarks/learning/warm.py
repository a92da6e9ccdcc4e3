"""How many steps to the same accuracy with 5 % new rows: from the base, and from the last bundle.

.venv/bin/python benchmarks/learning/warm.py [--seeds 0,1,2]

For each seed, an adapter is trained on the demo's charts. Then 5 % more come. Both ways train on
all of them by the same spec, and are asked every few steps, until the accuracy is that of the first
adapter less a margin.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from data import write
from ours import Pack, proposed, read_rows, train
from results import Results, interval, table

from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.records.row import Row
from kolm_cli.trainer.adapter_trainer import VLMTrainer

ROWS, EPOCHS, PACK = 640, 6, 150
MARGIN, EVERY = 0.01, 5


def steps_until(
    target: float, pack: Pack, rows: list[Row], seed: int, start: Path | None
) -> int | None:
    """The steps after which the target is reached; None when a whole training does not."""
    steps, reached = 0, False

    def ask(trainer: VLMTrainer) -> bool:
        nonlocal steps, reached
        steps += 1
        reached = steps % EVERY == 0 and pack.accuracy(trainer.model) >= target
        return reached

    trainer = train(rows, proposed(ROWS, epochs=EPOCHS, seed=seed), start=start, after_step=ask)
    if reached:
        return steps
    # The last step is not followed by the question whether to stop.
    return steps + 1 if pack.accuracy(trainer.model) >= target else None


def measured(seed: int, folder: Path) -> dict[str, Any]:
    """The accuracy to reach, and the steps of both ways."""
    began = time.process_time()
    write("demo", folder, rows=round(ROWS * 1.05), pack=PACK, seed=seed)
    rows = rows_from_python(read_rows(folder / "train"), None)
    pack = Pack(folder / "eval")
    first = train(rows[:ROWS], proposed(ROWS, epochs=EPOCHS, seed=seed))
    accuracy = pack.accuracy(first.model)
    first.save(folder / "first")
    target = accuracy - MARGIN
    return {
        "accuracy": accuracy,
        "warm": steps_until(target, pack, rows, seed, folder / "first"),
        "cold": steps_until(target, pack, rows, seed, None),
        "cpu_seconds": round(time.process_time() - began),
    }


def main() -> None:
    """Print the steps of both ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--results", type=Path, help="Remember runs here, and do not repeat them.")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    results, found = Results(asked.results), []
    for seed in map(int, asked.seeds.split(",")):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            run = ["warm", ROWS, EPOCHS, PACK, seed]
            found.append(results.once(run, lambda: measured(seed, folder)))  # noqa: B023
    print(table(["seed", "accuracy to reach", "warm", "cold"], [
        [seed, f"{run['accuracy'] - MARGIN:.3f}", str(run["warm"]), str(run["cold"])]
        for seed, run in zip(asked.seeds.split(","), found, strict=True)
    ]))  # fmt: skip
    for way in ("warm", "cold"):
        steps = [run[way] for run in found]
        if None not in steps:
            print(f"{way}: {interval(steps)} steps")


if __name__ == "__main__":
    main()
