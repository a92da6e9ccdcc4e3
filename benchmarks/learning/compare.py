"""Is learning real? Base and adapter on data that nobody here drew, against plain peft.

.venv/bin/python benchmarks/learning/compare.py [--sets demo,digits,elpv] [--seeds 3] [--rows 1200]

Each seed draws its own rows and trains anew, with kolm and with plain transformers and peft, for
the same number of epochs over the same rows with the same rates. Needs `scikit-learn` and
`elpv-dataset` for the two sets that are not the demo's.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from data import write
from job import compile_here, interval, spec_for, steps_of
from plain import accuracy

from kolm_cli.demo import BASE


def main() -> None:
    """Print a line for each data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", default="demo,digits,elpv")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1200)
    parser.add_argument("--pack", type=int, default=240)
    parser.add_argument("--epochs", type=int, default=8)
    asked = parser.parse_args()
    for name in asked.sets.split(","):
        found: dict[str, list[float]] = {"base": [], "kolm": [], "plain peft": []}
        steps = 0
        for seed in range(asked.seeds):
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                write(name, folder, rows=asked.rows, pack=asked.pack, seed=seed)
                spec = spec_for(folder, seed=seed, num_train_epochs=asked.epochs)
                report = compile_here(folder, spec)
                steps = steps_of(report)
                found["base"].append(report["base_accuracy"])
                found["kolm"].append(report["accuracy"])
                found["plain peft"].append(accuracy(BASE, folder, spec["train"], seed))
        told = ", ".join(f"{who} {interval(values)}" for who, values in found.items())
        print(f"{name}: {asked.rows} rows, {steps} steps, {asked.seeds} seeds: {told}", flush=True)


if __name__ == "__main__":
    main()
