"""`kolm compile`: preflight, train, evaluate, bundle; or find that it was done before."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from kolm_cli.bundle.build import BaseIdentity, Content, build_bundle
from kolm_cli.bundle.format.evaluation import EvaluationSettings
from kolm_cli.bundle.format.predictions import read_predictions
from kolm_cli.bundle.signing.keys import Signer, signer_for_compile
from kolm_cli.core import digests
from kolm_cli.core.files import require_writable
from kolm_cli.core.home import private_folder
from kolm_cli.core.progress import Progress
from kolm_cli.dataset.frozen import thaw
from kolm_cli.pipeline import result_cache
from kolm_cli.pipeline.bundle_files import bundle_files, evaluation_settings, total_bytes
from kolm_cli.pipeline.inputs import Inputs, gather
from kolm_cli.pipeline.known_inputs import remember_base, remember_pack
from kolm_cli.pipeline.preflight import preflight
from kolm_cli.pipeline.receipt_chain import stages_of
from kolm_cli.pipeline.result_cache import place_of
from kolm_cli.pipeline.train import discard, is_done, run_folder, train
from kolm_cli.records.row import rows_digest
from kolm_cli.run.folder import RunFolder
from kolm_cli.scoring.score import Measurements, Predictions, ScoreReport, score


@dataclass(frozen=True)
class Compiled:
    """The result of a compile.

    Attributes:
        bundle: where the bundle was put.
        report: what `--json` prints.
    """

    bundle: Path
    report: dict[str, Any]

    @classmethod
    def of(cls, report: dict[str, Any], target: Path, *, cached: bool) -> Compiled:
        """The result whose bundle was put where its gate allows."""
        place = place_of(target, passed=report["gate"]["passed"])
        told = {**report, "bundle": str(place), "cached": cached}
        if place != target:
            # What passed before stays, for whoever serves it.
            told["unchanged"] = str(target) if target.exists() else None
        return cls(place, told)

    @property
    def gate_passed(self) -> bool:
        """Whether the gate was met."""
        return bool(self.report["gate"]["passed"])


def compile_spec(
    spec: Path,
    *,
    out: Path | None,
    force: bool,
    progress: Progress,
    device: Literal["cpu", "cuda"] | None = None,
) -> Compiled:
    """Compile a spec into a bundle.

    Args:
        spec: the spec file.
        out: where the bundle goes; what the spec says when None.
        force: train even when the same inputs were compiled before.
        device: replaces the spec's `launch.device`.
        progress: told of every stage.

    Raises:
        InputError: the spec, the base or the data is wrong.
        LackingError: the environment lacks something.
        InterruptedRunError: a signal arrived; the same compile resumes later.
    """
    started = datetime.now(UTC)
    progress.stage("read spec")
    inputs = gather(spec, device=device)
    target = (out or inputs.loaded.bundle_path).expanduser().absolute()
    require_writable(target)
    signer = signer_for_compile()
    with _only_one(inputs, progress):
        # The signature is part of what is returned: another key asks for another bundle.
        key = digests.sha256_json([inputs.keys.result, signer.key_id])
        found = None if force else result_cache.find(key, target)
        if found is not None:
            return Compiled.of(found, target, cached=True)
        done = is_done(inputs)
        if force or not done:
            _look_for_device(inputs)
            checked = preflight(inputs, progress)
            if done:
                # An unfinished run is resumed even so: it ends with the bytes of a new one.
                discard(inputs)
            train(inputs, checked, progress)
        progress.stage("bundle")
        report = _bundle(inputs, run_folder(inputs), target, signer, started)
        compiled = Compiled.of(report, target, cached=False)
        result_cache.keep(key, inputs.spec.name, compiled.bundle, report, progress)
    return compiled


def _look_for_device(inputs: Inputs) -> None:
    """A missing GPU is said before the rows are checked, which can take minutes.

    Raises:
        LackingError: the device, or what the attention implementation needs, is not there.
        InputError: the attention implementation needs another device.
    """
    from kolm_cli.trainer.base_model import check_attention
    from kolm_cli.trainer.devices import pick_device

    check_attention(inputs.spec.train.attention, pick_device(inputs.spec.launch.device))


def _bundle(
    inputs: Inputs, run: RunFolder, target: Path, signer: Signer, started: datetime
) -> dict[str, Any]:
    """Write the signed bundle from the worker's results; returns the report."""
    evaluation = run.evaluation(inputs.keys.evaluation)
    rows, pack = list(thaw(run.data, "train")), list(thaw(evaluation, "eval"))
    predictions = _answers(evaluation, "predictions.jsonl")
    base_predictions = _answers(evaluation, "base_predictions.jsonl")
    latency = int(json.loads((evaluation / "measured.json").read_bytes())["latency_us"])
    vlm_train = json.loads((run.trained / "vlm_train.json").read_bytes())
    settings = evaluation_settings(inputs.spec.evaluate, len(pack))
    files = bundle_files(inputs, run, settings, rows, pack, predictions, base_predictions)
    measured = Measurements(total_bytes(files), latency)
    scored = score(pack, predictions, measured, settings.scoring(), base_predictions)
    target.parent.mkdir(parents=True, exist_ok=True)
    built = build_bundle(
        Content(
            name=inputs.spec.name,
            base=BaseIdentity(inputs.base.name, inputs.base.revision, inputs.weights),
            files=files,
            receipt=_receipt(run, vlm_train, settings, scored, latency),
            stages=stages_of(inputs, vlm_train, rows, pack, scored),
            started=started,
            finished=datetime.now(UTC),
        ),
        signer,
        place_of(target, passed=scored.gate.passed),
    )
    remember_pack(rows_digest(pack), evaluation)
    remember_base(inputs)
    return {
        "cid": built.cid,
        **scored.as_json(),
        "receipt": built.receipt,
    }


def _answers(evaluation: Path, name: str) -> Predictions:
    return read_predictions((evaluation / name).read_bytes(), name)


def _receipt(
    run: RunFolder,
    vlm_train: dict[str, Any],
    settings: EvaluationSettings,
    scored: ScoreReport,
    latency_us: int,
) -> dict[str, Any]:
    environment = json.loads((run.trained / "environment.json").read_bytes())
    evaluation = {
        **scored.as_json(),
        "metric": settings.metric,
        "accuracy": scored.accuracy,
        "coverage": scored.coverage,
        "latency_us": latency_us,
    }
    if settings.metric_options:
        evaluation["metric_options"] = dict(settings.metric_options)
    return {"vlm_train": vlm_train, "evaluation": evaluation, "environment": environment}


@contextlib.contextmanager
def _only_one(inputs: Inputs, progress: Progress) -> Iterator[None]:
    """Two compiles of the same inputs at once: the second waits, then finds the first's result."""
    path = private_folder("locks") / f"{inputs.keys.training}.lock"
    with path.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.note("another compile of the same inputs is running; waiting for it")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
