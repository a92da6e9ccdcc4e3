"""From checked rows to answers: freeze the data, order the worker, wait for it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import datetime
from typing import Any

from kolm_cli.core.files import write_atomic
from kolm_cli.core.home import private_folder
from kolm_cli.core.progress import Progress
from kolm_cli.core.seals import is_sealed
from kolm_cli.dataset.frozen import freeze, note_outside, note_pictures
from kolm_cli.pipeline import trackers
from kolm_cli.pipeline.inputs import Inputs
from kolm_cli.pipeline.plan_first import keep_plan
from kolm_cli.pipeline.preflight import Preflight
from kolm_cli.pipeline.run_results import DOUBTS, STARTED, read_latency
from kolm_cli.pipeline.warm_start import place_parent
from kolm_cli.run.folder import RunFolder
from kolm_cli.run.orders import DURING, Orders
from kolm_cli.scoring.latency import Latency


def _run_folder(inputs: Inputs) -> RunFolder:
    return RunFolder(private_folder("runs", inputs.keys.training))


def finished_run(inputs: Inputs) -> RunFolder | None:
    """The run of the same inputs, when its adapter and its answers are there, undamaged."""
    run = _run_folder(inputs)
    evaluation = run.evaluation(inputs.keys.evaluation)
    return run if is_sealed(run.trained) and is_sealed(evaluation) else None


def discard_trained(inputs: Inputs) -> None:
    """Forget an adapter that was trained of the same inputs, and all that it answered.

    A run that was interrupted before its end stays: it is resumed, and ends with the same bytes.
    """
    run = _run_folder(inputs)
    if is_sealed(run.trained):
        shutil.rmtree(run.path)


def train(
    inputs: Inputs,
    checked: Preflight,
    progress: Progress,
    planned: dict[str, Any] | None = None,
    *,
    started: datetime,
) -> RunFolder:
    """Freeze the dataset and have the worker train and answer; resumes what was interrupted.

    Args:
        inputs: what is compiled.
        checked: its rows.
        progress: told of the stages.
        planned: what was planned for the run.
        started: when the compile began; of a run that is resumed, the first one counts.
    """
    from kolm_cli.run.launch import launch

    run = _run_folder(inputs)
    evaluation = run.evaluation(inputs.keys.evaluation)
    progress.stage("freeze data")
    for folder in (run.data, evaluation, run.checkpoints):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (run.path / STARTED).is_file():
        write_atomic(run.path / STARTED, started.isoformat().encode(), mode=0o600)
    if checked.watched is not None:
        freeze(checked.watched.rows, run.data, DURING)
    for rows, outside, facts, place, split in (
        (checked.train.rows, checked.train.outside, checked.facts, run.data, "train"),
        (checked.scored, checked.pack.outside, checked.scored_facts, evaluation, "eval"),
    ):
        freeze(rows, place, split)
        note_outside(outside, place, split)
        note_pictures([row.shown for row in facts], place, split)
    write_atomic(evaluation / DOUBTS, json.dumps(checked.doubts).encode(), mode=0o600)
    place_parent(inputs, run.parent, progress)
    orders_for(inputs).write(run.path)
    if planned is not None:
        keep_plan(run.path, planned)
    told = trackers.environment(inputs.spec.train.report_to, inputs.spec.name, run)
    launch(run, inputs.spec.launch, inputs.threads, progress, told)
    return run


def measure_again(inputs: Inputs, run: RunFolder, progress: Progress) -> Latency:
    """Have the worker time more answers of a run that is done, beside those of before."""
    from kolm_cli.run.launch import launch

    replace(orders_for(inputs), measure_again=True).write(run.path)
    launch(run, inputs.spec.launch, inputs.threads, progress)
    return read_latency(run.evaluation(inputs.keys.evaluation))


def orders_for(inputs: Inputs) -> Orders:
    """What the worker is asked to do."""
    spec, base = inputs.spec, inputs.base
    return Orders(
        model=base.name if base.revision else str(base.folder.resolve()),
        revision=base.revision,
        trust_remote_code=base.trust_remote_code,
        train=_explicit(inputs),
        device=spec.launch.device,
        threads=inputs.threads,
        truncation=spec.data.truncation,
        images=spec.data.images.model_dump(exclude_none=True),
        evaluation=inputs.keys.evaluation,
        max_new_tokens=spec.evaluate.max_new_tokens,
        batch_size=spec.evaluate.batch_size,
        parent=inputs.parent.cid if inputs.parent else "",
        during=_during(inputs),
    )


def _during(inputs: Inputs) -> dict[str, Any] | None:
    """The section `evaluate.during`, and what its answers are scored by."""
    evaluate = inputs.spec.evaluate
    if evaluate.during is None:
        return None
    return {
        "options": evaluate.during.model_dump(mode="json"),
        "metric": evaluate.metric_name,
        "metric_options": evaluate.metric_options,
    }


def _explicit(inputs: Inputs) -> dict[str, object]:
    """The section `train` without options that have no effect, which writing out would refuse."""
    return inputs.spec.train.model_dump(mode="json", exclude_unset=True)
