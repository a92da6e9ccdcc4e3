"""How many steps to the same accuracy with 5 % new rows: from the base, and from the last bundle.

.venv/bin/python benchmarks/learning/warm.py [--seeds 3] [--rows 3000]

For each seed, a first bundle is compiled on the demo's charts. Then 5 % more come. Both ways train
for 1, 2, 3, … epochs until the accuracy is that of the first bundle, less `--margin`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from data import write
from job import compile_here, interval, spec_for, steps_of


def steps_until(folder: Path, target: float, seed: int, most: int, **base: Any) -> float:
    """The steps of the shortest training that reaches the target; infinite when none does."""
    for epochs in range(1, most + 1):
        spec = spec_for(folder, seed=seed, num_train_epochs=epochs)
        spec["base"] |= base
        report = compile_here(folder, spec)
        print(f"  {'warm' if base else 'cold'} {epochs}: {report['accuracy']:.4f}", flush=True)
        if report["accuracy"] >= target:
            return steps_of(report)
    return float("inf")


def main() -> None:
    """Print the steps of both ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--pack", type=int, default=240)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--margin", type=float, default=0.01)
    asked = parser.parse_args()
    found: dict[str, list[float]] = {"cold": [], "warm": []}
    for seed in range(asked.seeds):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            more = round(asked.rows * 1.05)
            write("demo", folder, rows=more, pack=asked.pack, seed=seed)
            data = folder / "train" / "data.jsonl"
            lines = data.read_text().splitlines(keepends=True)
            data.write_text("".join(lines[: asked.rows]))
            first = compile_here(folder, spec_for(folder, seed=seed, num_train_epochs=asked.epochs))
            shutil.copy(first["bundle"], folder / "first.kolm")
            data.write_text("".join(lines))
            target = first["accuracy"] - asked.margin
            print(f"seed {seed}: to reach {target:.4f}", flush=True)
            steps = steps_until(folder, target, seed, asked.epochs, adapter="first.kolm")
            found["warm"].append(steps)
            found["cold"].append(steps_until(folder, target, seed, asked.epochs))
    print(json.dumps(found))
    for way, values in found.items():
        print(f"{way}: {interval(values)} steps")


if __name__ == "__main__":
    main()
