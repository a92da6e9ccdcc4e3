"""Is learning real? Base and adapter on data that nobody here drew, against plain peft.

.venv/bin/python benchmarks/learning/compare.py [--sets demo,digits,elpv] [--seeds 0,1,2]

Each seed draws its own rows and trains anew: with kolm, and with plain transformers and peft on
the same modules; with `--who "by name"` too, where peft is given names of layers and finds some in
the vision tower. Rows, epochs, batch and rates are the same. Needs `scikit-learn` and
`elpv-dataset` for the two sets that are not the demo's.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from data import write
from ours import Pack, base_model, majority, proposed, read_rows, train
from plain import accuracy
from results import Results, interval, table

from kolm_cli.demo import BASE
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.trainer.schedule import steps_of

# Rows and epochs; a pack of 150 rows.
SIZES = {"demo": (640, 6), "digits": (1200, 10), "elpv": (400, 8)}
PACK = 150
# What can be compared, by its heading.
WHO = {"base": "base", "kolm": "kolm", "same modules": "plain peft", "by name": "peft by names"}


def measured(name: str, seed: int, who: str, folder: Path) -> dict[str, Any]:
    """Train as `who` does, and ask."""
    rows, epochs = SIZES[name]
    began = time.process_time()
    write(name, folder, rows=rows, pack=PACK, seed=seed)
    config = proposed(rows, epochs=epochs, seed=seed)
    asked, shown = read_rows(folder / "eval"), read_rows(folder / "train")
    if who == "base":
        found = {"accuracy": Pack(folder / "eval").accuracy(base_model())}
        found["majority"] = majority(asked)
    elif who == "kolm":
        trainer = train(rows_from_python(shown, None), config)
        found = {"accuracy": Pack(folder / "eval").accuracy(trainer.model)}
    else:
        found = {"accuracy": accuracy(BASE, shown, asked, config, by_name=who == "by name")}
    return {**found, "cpu_seconds": round(time.process_time() - began)}


def main() -> None:
    """Print a row for each data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", default=",".join(SIZES))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--who", default="base,kolm,same modules")
    parser.add_argument("--results", type=Path, help="Remember runs here, and do not repeat them.")
    asked = parser.parse_args()
    if unknown := {*asked.who.split(",")} - {*WHO} or {*asked.sets.split(",")} - {*SIZES}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    # So small a model is no quicker on two.
    torch.set_num_threads(1)
    results, seeds = Results(asked.results), asked.seeds.split(",")
    shown = []
    for name in asked.sets.split(","):
        rows, epochs = SIZES[name]
        found: dict[str, list[dict[str, Any]]] = {}
        for seed in map(int, seeds):
            for who in asked.who.split(","):
                with tempfile.TemporaryDirectory() as place:
                    run = [name, rows, epochs, PACK, seed, who]
                    found.setdefault(who, []).append(
                        results.once(run, _later(name, seed, who, Path(place)))
                    )
        steps = steps_of(rows, proposed(rows, epochs=epochs, seed=0))
        line = [name, str(rows), str(steps)]
        if "base" in found:
            line.append(interval(run["majority"] for run in found["base"]))
        line += [interval(run["accuracy"] for run in runs) for runs in found.values()]
        shown.append(line)
    who = asked.who.split(",")
    header = ["data", "rows", "steps", *(["most frequent answer"] if "base" in who else [])]
    print(table([*header, *(WHO[name] for name in who)], shown))


def _later(name: str, seed: int, who: str, folder: Path) -> Callable[[], dict[str, Any]]:
    return lambda: measured(name, seed, who, folder)


if __name__ == "__main__":
    main()
