"""What a finished run left in its folder, read once for all that goes into a bundle."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from kolm_cli.bundle.format.predictions import read_predictions
from kolm_cli.dataset.frozen import Pictures, outside_of, pictures_of, thaw
from kolm_cli.pipeline.inputs import Inputs
from kolm_cli.pipeline.plan_first import kept_plan
from kolm_cli.records.row import Row, rows_digest
from kolm_cli.run.folder import RunFolder
from kolm_cli.scoring.latency import Latency
from kolm_cli.scoring.score import Predictions

# In an evaluation's folder: why the run will hardly learn what the pack asks.
DOUBTS = "doubts.json"
# In a run folder: when the compile that trained began.
STARTED = "started"


@dataclass(frozen=True)
class FrozenRows:
    """One side of the frozen data.

    Attributes:
        rows: the rows, in their order.
        digest: names them.
        pictures: for each row, how each of its images was shown; None where nobody noted it.
        outside: how many images were outside of their data's folder.
    """

    rows: Sequence[Row]
    digest: str
    pictures: Pictures | None = None
    outside: int = 0

    @classmethod
    def of(cls, folder: Path, split: str) -> FrozenRows:
        """Read what `freeze` wrote."""
        rows = list(thaw(folder, split))
        shown, outside = pictures_of(folder, split), outside_of(folder, split)
        return cls(rows, rows_digest(rows), shown, outside)


@dataclass(frozen=True)
class RunResults:
    """What a run left.

    Attributes:
        trained: the folder with the adapter, the processor and `modules.json`.
        evaluation: the folder of the pack and its answers.
        train: what was trained on.
        pack: what was asked.
        predictions: row id to what the adapter answered.
        base_predictions: row id to what the base answered.
        cut: which of the adapter's answers ended at `max_new_tokens`, by row id in order.
        base_cut: which of the base's did.
        latency: the times of single answers.
        vlm_train: the receipt's block of that name.
        environment: what it ran on.
        doubts: what was warned of before it trained.
        started: when the compile that trained began; None of a run of an earlier kolm.
    """

    trained: Path
    evaluation: Path
    train: FrozenRows
    pack: FrozenRows
    predictions: Predictions
    base_predictions: Predictions
    cut: Sequence[str]
    base_cut: Sequence[str]
    latency: Latency
    vlm_train: Mapping[str, Any]
    environment: Mapping[str, Any]
    doubts: Sequence[str] = ()
    started: datetime | None = None


def read_results(inputs: Inputs, run: RunFolder) -> RunResults:
    """Read the results of a run that is done."""
    evaluation = run.evaluation(inputs.keys.evaluation)

    def answers(name: str) -> Predictions:
        return read_predictions((evaluation / name).read_bytes(), name)

    return RunResults(
        trained=run.trained,
        evaluation=evaluation,
        train=FrozenRows.of(run.data, "train"),
        pack=FrozenRows.of(evaluation, "eval"),
        predictions=answers("predictions.jsonl"),
        base_predictions=answers("base_predictions.jsonl"),
        cut=_list(evaluation / "predictions.cut.json"),
        base_cut=_list(evaluation / "base_predictions.cut.json"),
        latency=read_latency(evaluation),
        vlm_train=_json(run.trained / "vlm_train.json"),
        environment=_environment(run, evaluation),
        doubts=_list(evaluation / DOUBTS),
        started=_started(run),
    )


def _started(run: RunFolder) -> datetime | None:
    path = run.path / STARTED
    return datetime.fromisoformat(path.read_text()) if path.is_file() else None


def read_latency(evaluation: Path) -> Latency:
    """What was measured of an evaluation."""
    measured = _json(evaluation / "measured.json")
    # An earlier kolm kept the median alone.
    return Latency(measured.get("latencies_us") or [int(measured["latency_us"])])


def _environment(run: RunFolder, evaluation: Path) -> dict[str, Any]:
    """What the run ran on, with what had no deterministic form in training or in the answers."""
    environment = _json(run.trained / "environment.json")
    operations = set(environment["nondeterministic_operations"])
    for name in ("predictions", "base_predictions"):
        operations |= set(json.loads((evaluation / f"{name}.operations.json").read_bytes()))
    facts = {**environment, "nondeterministic_operations": sorted(operations)}
    planned = kept_plan(run.path)
    # Beside what a GPU measured, so that plans can be judged by it.
    return facts if planned is None else {**facts, "planned": planned}


def _list(path: Path) -> list[str]:
    """Answers that were cut, or doubts; none of an earlier kolm, which did not look."""
    try:
        found: list[str] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return []
    return found


def _json(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_bytes())
    return value
