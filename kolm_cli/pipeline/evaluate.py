"""`kolm eval`: a bundle answers a pack again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.evaluation import read_settings
from kolm_cli.bundle.format.predictions import read_predictions
from kolm_cli.core.errors import InputError, Problem, raise_if_any
from kolm_cli.core.progress import Progress
from kolm_cli.dataset.sources import read_source
from kolm_cli.formats.columns import Columns
from kolm_cli.pipeline.bundle_use import Demands, answerer_for
from kolm_cli.pipeline.known_inputs import known_pack
from kolm_cli.pipeline.preflight import pack_problems
from kolm_cli.pipeline.unpacked import Unpacked
from kolm_cli.records.row import Row
from kolm_cli.scoring.latency import ANSWERS, Latency
from kolm_cli.scoring.score import Measurements, score
from kolm_cli.spec.sources import FORMS, parse_source


def read_pack(given: str, columns: Columns | None = None) -> list[Row]:
    """The rows of a source as a spec names it: `capture:NS@eval`, a file, a folder.

    Args:
        given: the source, relative to the working directory.
        columns: which of its columns hold what.

    Raises:
        InputError: the source cannot be read.
    """
    try:
        source = parse_source(given, Path.cwd(), columns)
    except (ValueError, FileNotFoundError) as error:
        raise InputError(Problem(str(error), where="--pack", fix=FORMS)) from error
    read = read_source(source)
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


def evaluate_again(
    bundle: Path,
    *,
    pack: str | None,
    columns: Columns | None = None,
    base: Path | None,
    device: str | None,
    progress: Progress,
    demands: Demands | None = None,
) -> dict[str, Any]:
    """Answer a pack with a bundle and score it; returns what `kolm eval --json` prints.

    Raises:
        InputError: the pack or the columns cannot be used.
    """
    # Whatever is wrong with it is said before a base is loaded.
    if pack is None and columns is not None:
        raise InputError(Problem("has no effect without --pack", "--column", "name the pack"))
    given = None if pack is None else read_pack(pack, columns)
    with answerer_for(bundle, base=base, device=device, progress=progress, demands=demands) as (
        files,
        answerer,
    ):
        rows = find_pack(files) if given is None else given
        settings = read_settings((files.folder / layout.EVALUATION).read_bytes())
        unfit = pack_problems(rows, settings.scoring().metric)
        raise_if_any([*unfit, *answerer.problems(rows, progress)])
        if given is not None:
            _note_trained(files, rows, progress)
        progress.stage("evaluate", len(rows), "rows")
        batch_size = files.spec["evaluate"]["batch_size"]
        answers = answerer.answer_all(rows, batch_size=batch_size, progress=progress)
        progress.stage("measure latency", ANSWERS, "answers")
        latency = Latency(answerer.latencies_us(rows, progress))
        predictions = {row.id: said.text for row, said in zip(rows, answers, strict=True)}
        stored = files.folder / layout.PREDICTIONS
        same = None
        if pack is None and stored.is_file():
            same = read_predictions(stored.read_bytes(), layout.PREDICTIONS) == predictions
        size = sum(int(entry["size"]) for entry in files.manifest["files"])
    found = score(
        rows, predictions, Measurements(size, latency.median, latency.range), settings.scoring()
    )
    return {
        "cid": files.cid,
        "metric": settings.metric,
        "rows": len(rows),
        **found.as_json(),
        "max_new_tokens": settings.max_new_tokens,
        "cut_answers": [row.id for row, said in zip(rows, answers, strict=True) if said.cut],
        "predictions_as_in_bundle": same,
    }


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
