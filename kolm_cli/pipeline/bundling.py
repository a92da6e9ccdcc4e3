"""From a run's results to a signed bundle: score them, and write what is attested of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kolm_cli.bundle.build import BaseIdentity, Content, build_bundle
from kolm_cli.bundle.format.evaluation import EvaluationSettings
from kolm_cli.bundle.format.pack import row_keys
from kolm_cli.bundle.plan_kept import beside
from kolm_cli.bundle.signing.keys import Signer
from kolm_cli.core.errors import raise_if_any
from kolm_cli.core.progress import Progress
from kolm_cli.pipeline.bundle_files import bundle_files, evaluation_settings, total_bytes
from kolm_cli.pipeline.during import course_said
from kolm_cli.pipeline.earlier import Earlier
from kolm_cli.pipeline.inputs import Inputs
from kolm_cli.pipeline.mistakes import mistakes
from kolm_cli.pipeline.preflight import pack_problems
from kolm_cli.pipeline.receipt_chain import stages_of
from kolm_cli.pipeline.regression import compared
from kolm_cli.pipeline.run_results import RunResults
from kolm_cli.scoring.gate import hangs_on_latency
from kolm_cli.scoring.latency import MOST, Latency
from kolm_cli.scoring.score import Measurements, ScoreReport, score, score_rows

# A statement is read whole by a verifier.
LISTED_CUT = 10_000
# Mistakes that a finished compile shows.
WORST = 3


@dataclass(frozen=True)
class Bundled:
    """A bundle that was written.

    Attributes:
        path: where it is.
        report: its CID, its score, whether the gate was met, and its receipt.
    """

    path: Path
    report: dict[str, Any]


def write_bundle(
    inputs: Inputs,
    results: RunResults,
    signer: Signer,
    against: Earlier | None,
    again: Callable[[], Latency],
    *,
    started: datetime,
    place: Callable[[bool], Path],
    progress: Progress,
) -> Bundled:
    """Score a run's results, and write the signed bundle.

    Args:
        inputs: what was compiled.
        results: what its run left.
        signer: signs every stage.
        against: the bundle that the gate compares with, if it asks for that.
        again: times more answers, for a gate that hangs on the latency.
        started: when this compile began; a run that says when its own began is older.
        place: says where the bundle goes, given whether the gate was met.
        progress: told when the earlier bundle has to answer.

    Raises:
        InputError: the metric cannot read a row's answers.
    """
    pack = results.pack.rows
    settings = evaluation_settings(inputs.spec.evaluate, len(pack), row_keys(pack))
    metric = settings.scoring().metric
    # Preflight said so already, unless only the metric changed since the run.
    raise_if_any(pack_problems(pack, metric))
    files = bundle_files(inputs, results, settings)
    rows = score_rows(metric, pack, results.predictions, results.base_predictions)
    asked = settings.gate.no_regression
    previous = compared(against, asked, inputs, pack, rows, metric, progress)

    def judged(latency: Latency) -> ScoreReport:
        measured = Measurements(total_bytes(files), latency.median, latency.range, previous)
        return score(pack, results.predictions, measured, settings.scoring(), rows=rows)

    scored = judged(results.latency)
    while hangs_on_latency(scored.gate) and results.latency.answers < MOST:
        progress.note("the gate on K is within the spread of the latency: measuring it again")
        results = replace(results, latency=again())
        scored = judged(results.latency)
    path = place(scored.gate.passed)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = Content(
        name=inputs.spec.name,
        base=BaseIdentity(inputs.base.name, inputs.base.revision, inputs.weights),
        files=files,
        receipt=_receipt(results, settings, scored),
        stages=stages_of(inputs, results, scored),
        started=results.started or started,
        finished=datetime.now(UTC),
    )
    built = build_bundle(content, signer, path)
    rulings = [ruling.as_json() for ruling in scored.gate.rulings]
    worst = mistakes(
        pack,
        rows,
        results.predictions,
        base=results.base_predictions,
        cut=results.cut,
        most=WORST,
    )
    course = course_said(results.vlm_train)
    report = {
        "cid": built.cid,
        **({} if course is None else {"during": course}),
        **scored.as_json(),
        "cut_answers": list(results.cut[:LISTED_CUT]),
        "latency": {"latency_us": results.latency.median, **results.latency.as_json()},
        "rulings": rulings,
        "base_ci95": list(rows.base_interval) if rows.base_interval else None,
        "mistakes": worst,
        "doubts": list(results.doubts),
        "plan": {each.name: each.as_json() for each in beside(results.environment)},
        "receipt": built.receipt,
    }
    return Bundled(path, report)


def _receipt(
    results: RunResults, settings: EvaluationSettings, scored: ScoreReport
) -> dict[str, Any]:
    evaluation = {
        **scored.as_json(),
        "metric": settings.metric,
        "accuracy": scored.accuracy,
        "coverage": scored.coverage,
        "latency_us": results.latency.median,
        "latency": results.latency.as_json(),
    }
    if settings.metric_options:
        evaluation["metric_options"] = dict(settings.metric_options)
    cut = {"predictions": results.cut, "base_predictions": results.base_cut}
    if any(cut.values()):
        evaluation["cut_answers"] = {k: list(v[:LISTED_CUT]) for k, v in cut.items() if v}
    return {
        "vlm_train": dict(results.vlm_train),
        "evaluation": evaluation,
        "environment": dict(results.environment),
    }
