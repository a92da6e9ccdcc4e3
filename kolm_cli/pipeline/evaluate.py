"""`kolm eval`: a bundle answers a pack again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.evaluation import read_settings
from kolm_cli.core.errors import InputError, Problem, raise_if_any
from kolm_cli.core.progress import Progress
from kolm_cli.dataset.sources import read_source
from kolm_cli.formats.columns import Columns
from kolm_cli.pipeline.against import Against, find_other, stored_answers
from kolm_cli.pipeline.baseline import read_baseline
from kolm_cli.pipeline.bundle_use import Demands, answerer_for
from kolm_cli.pipeline.during import held_out
from kolm_cli.pipeline.known_inputs import known_pack
from kolm_cli.pipeline.mistakes import mistakes
from kolm_cli.pipeline.preflight import pack_problems
from kolm_cli.pipeline.unpacked import Unpacked
from kolm_cli.records.row import Row
from kolm_cli.scoring.latency import ANSWERS, Latency
from kolm_cli.scoring.metrics.base import ChosenMetric
from kolm_cli.scoring.score import (
    Measurements,
    Predictions,
    ScoringSettings,
    score,
    score_rows,
    weights_of,
)
from kolm_cli.spec.sources import FORMS, parse_source


def read_pack(given: str, columns: Columns | None = None, *, confine: bool = False) -> list[Row]:
    """The rows of a source as a spec names it: `capture:NS@eval`, a file, a folder.

    Args:
        given: the source, relative to the working directory.
        columns: which of its columns hold what.
        confine: refuse images outside of its folder.

    Raises:
        InputError: the source cannot be read.
    """
    try:
        source = parse_source(given, Path.cwd(), columns)
    except (ValueError, FileNotFoundError) as error:
        raise InputError(Problem(str(error), where="--pack", fix=FORMS)) from error
    read = read_source(source, confine="--confine" if confine else "")
    raise_if_any([*read.problems, *pack_problems(read.rows)])
    return read.rows


def find_pack(bundle: Unpacked) -> list[Row]:
    """The rows that the bundle was scored on.

    Raises:
        InputError: they are not on this machine.
    """
    wanted = bundle.spec["data"]["eval"].removeprefix("sha256:")
    rows = known_pack(wanted)
    if not rows:
        raise InputError(
            Problem(
                f"the evaluation pack {wanted[:12]} is not on this machine; a bundle holds its"
                " digests only",
                fix="give it with --pack FILE or --pack capture:NS@eval",
            )
        )
    return rows


@dataclass(frozen=True)
class Wanted:
    """What is asked of an evaluation, beside the bundle.

    Attributes:
        pack: other rows than the bundle's own; None for those.
        columns: which of their columns hold what.
        limit: so many rows, from all over the pack; None for all.
        wrong: how many mistakes are listed.
        compare: another bundle to compare with: a file, or a name in the registry.
        baseline: stored answers to compare with, as `read_baseline` takes them.
        confine: refuse images outside of the folder of `pack`.
    """

    pack: str | None = None
    columns: Columns | None = None
    limit: int | None = None
    wrong: int = 3
    compare: str | None = None
    baseline: str | None = None
    confine: bool = False


def evaluate_again(
    bundle: Path,
    *,
    wanted: Wanted | None = None,
    base: Path | None,
    device: str | None,
    progress: Progress,
    demands: Demands | None = None,
) -> dict[str, Any]:
    """Answer a pack with a bundle and score it; returns what `kolm eval --json` prints.

    Raises:
        InputError: the pack, the columns or what it is compared with cannot be used.
    """
    from kolm_cli.encoding.row_checks import note_long_answers

    # Whatever is wrong with it is said before a base is loaded.
    asked = wanted or Wanted()
    if asked.pack is None and asked.columns is not None:
        raise InputError(Problem("has no effect without --pack", "--column", "name the pack"))
    given = None
    if asked.pack is not None:
        given = read_pack(asked.pack, asked.columns, confine=asked.confine)
    other = None if asked.compare is None else find_other(asked.compare, demands, progress)
    with answerer_for(bundle, base=base, device=device, progress=progress, demands=demands) as (
        files,
        answerer,
    ):
        rows = _some(find_pack(files) if given is None else given, asked.limit)
        settings = read_settings((files.folder / layout.EVALUATION).read_bytes())
        scoring = _askable(settings.scoring(), rows)
        unfit = pack_problems(rows, scoring.metric)
        raise_if_any([*unfit, *answerer.problems(rows, progress)])
        baseline = None if asked.baseline is None else read_baseline(asked.baseline, rows)
        if given is not None:
            _note_trained(files, rows, progress)
            _note_held_out(files, rows, progress)
            note_long_answers(answerer.encoder, rows, settings.max_new_tokens, progress)
        progress.stage("evaluate", len(rows), "rows")
        batch_size = files.spec["evaluate"]["batch_size"]
        answers = answerer.answer_all(rows, batch_size=batch_size, progress=progress)
        progress.stage("measure latency", ANSWERS, "answers")
        latency = Latency(answerer.latencies_us(rows, progress))
        predictions = {row.id: said.text for row, said in zip(rows, answers, strict=True)}
        stored = None if given is not None else stored_answers(files)
        base_said = None if given is not None else stored_answers(files, layout.BASE_PREDICTIONS)
        size = sum(int(entry["size"]) for entry in files.manifest["files"])
        own_pack = None if given is not None else files.spec["data"]["eval"]
    del answerer  # the other bundle's model takes its place
    scored = score_rows(scoring.metric, rows, predictions, base_said)
    measured = Measurements(size, latency.median, latency.range)
    found = score(rows, predictions, measured, scoring, rows=scored)
    cut = [row.id for row, said in zip(rows, answers, strict=True) if said.cut]
    report = {
        "cid": files.cid,
        "metric": settings.metric,
        "rows": len(rows),
        **found.as_json(),
        "latency": {"latency_us": latency.median, **latency.as_json()},
        "rulings": [ruling.as_json() for ruling in found.gate.rulings],
        "max_new_tokens": settings.max_new_tokens,
        "cut_answers": cut,
        "predictions_as_in_bundle": None
        if stored is None
        else all(stored.get(name) == said for name, said in predictions.items()),
        "details": _details(scoring.metric, rows, predictions),
        "mistakes": mistakes(rows, scored, predictions, base=base_said, cut=cut, most=asked.wrong),
    }
    against = Against(rows, scored, scoring.metric, report)
    if baseline is not None:
        against.baseline(str(asked.baseline), baseline, progress)
    if other is not None:
        against.bundle(other, own_pack, base, device, progress)
    return report


def _some(rows: list[Row], limit: int | None) -> list[Row]:
    """So many rows, from all over the pack: the same ones each time."""
    if limit is None or limit >= len(rows):
        return rows
    return [rows[i * len(rows) // limit] for i in range(limit)]


def _askable(scoring: ScoringSettings, rows: list[Row]) -> ScoringSettings:
    """The scoring without gates that only a compile can judge, and on groups that are not here."""
    groups = {row.judging.group for row in rows} - {""}
    gate = scoring.gate
    kept = {name: least for name, least in gate.groups.items() if name in groups}
    worst = gate.worst_group if groups else None
    return replace(
        scoring,
        gate=replace(gate, no_regression=None, groups=kept, worst_group=worst),
    )


def _details(metric: ChosenMetric, rows: list[Row], predictions: Predictions) -> Mapping[str, Any]:
    """What the metric says of all rows that have no metric of their own, together."""
    own = [row for row in rows if row.judging.metric is None]
    if not own:
        return {}
    said = [(predictions.get(row.id), row.accepted) for row in own]
    return metric.details(said, weights_of(own))


def _note_trained(bundle: Unpacked, rows: list[Row], progress: Progress) -> None:
    """Say when a pack shows what was trained on: its score says little about new pictures."""
    trained: set[str] = set()
    with (bundle.folder / layout.TRAIN_ROWS).open("rb") as stream:
        for line in stream:
            trained.update(json.loads(line)["images"])
    shown = sum(any(image in trained for image in row.conversation.images) for row in rows)
    if shown:
        progress.note(
            f"{shown} of {len(rows)} rows show images that the bundle was trained on: their score"
            " says little about new ones"
        )


def _note_held_out(bundle: Unpacked, rows: list[Row], progress: Progress) -> None:
    """Say when rows of a pack chose the weights that now answer them."""
    chose = held_out(bundle.trained)
    seen = sum(row.digest in chose for row in rows)
    if seen:
        progress.note(
            f"{seen} of {len(rows)} rows chose the bundle's weights while it was trained: their"
            " score is too good"
        )
