"""The files of a bundle that its CID covers, from what a run left."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kolm_cli.bundle.format import configurations, layout, processor_keys
from kolm_cli.bundle.format.comparing import too_much
from kolm_cli.bundle.format.dataset import Dataset, DatasetFacts, TrainRow, write_train_rows
from kolm_cli.bundle.format.evaluation import EvaluationSettings
from kolm_cli.bundle.format.pack import PackRow, write_pack
from kolm_cli.bundle.format.predictions import write_predictions
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.pipeline.inputs import Inputs
from kolm_cli.pipeline.run_results import FrozenRows, RunResults
from kolm_cli.scoring.gate import Gate, NoRegression
from kolm_cli.scoring.judging import PLAIN
from kolm_cli.scoring.metrics.catalog import choose
from kolm_cli.spec.digest_forms import bundle_form
from kolm_cli.spec.model import EvaluateSection, GateSection

_PROCESSOR_SUFFIXES = (".json", ".jinja", ".model", ".txt")


def bundle_files(
    inputs: Inputs, results: RunResults, settings: EvaluationSettings
) -> dict[str, Path | bytes]:
    """Every file of the bundle but the manifest and the attestations."""
    adapter = results.trained / "adapter"
    files: dict[str, Path | bytes] = {
        f"adapter/{path.name}": path for path in sorted(adapter.iterdir())
    }
    files |= processor_files(results.trained / "processor")
    _check_configurations(files)
    files |= _evaluation_files(settings, results)
    files |= _data_files(results)
    files[layout.MODULES] = results.trained / "modules.json"
    files[layout.SPEC] = bundle_form(
        inputs.spec,
        train_digest=results.train.digest,
        eval_digest=results.pack.digest,
        base_identity=inputs.base.name,
        parent=inputs.parent.cid if inputs.parent else None,
    )
    return files


def _check_configurations(files: Mapping[str, Path | bytes]) -> None:
    """Refuse what every verifier would.

    Raises:
        InputError: a configuration says what it must not.
    """
    problems = []
    for path, source in files.items():
        if configurations.is_configuration(path):
            data = source if isinstance(source, bytes) else source.read_bytes()
            problems += [Problem(text) for text in configurations.problems_of(path, data)]
    if problems:
        raise InputError(*problems)


def processor_files(folder: Path) -> dict[str, Path | bytes]:
    """The processor's configuration, JSON rewritten without what is local to this machine."""
    files: dict[str, Path | bytes] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.suffix not in _PROCESSOR_SUFFIXES:
            continue
        name = f"processor/{path.relative_to(folder)}"
        if path.suffix == ".json" and path.name.endswith("config.json"):
            content = json.loads(path.read_bytes())
            text = json.dumps(
                _portable(name, content), indent=2, sort_keys=True, ensure_ascii=False
            )
            files[name] = text.encode() + b"\n"
        else:
            files[name] = path
    return files


def _portable(path: str, value: dict[str, Any]) -> dict[str, Any]:
    # transformers writes 1e30 for "no limit", which is what a missing key means; as an integer
    # it is beyond what JSON readers agree on.
    longest = value.get("model_max_length")
    if isinstance(longest, int) and longest > processor_keys.MAX_NUMBER:
        value = {key: item for key, item in value.items() if key != "model_max_length"}
    return processor_keys.listed(path, value)


def evaluation_settings(
    evaluate: EvaluateSection, rows: int, row_keys: tuple[str, ...] = ()
) -> EvaluationSettings:
    """How a pack is scored, as the bundle says it.

    Args:
        evaluate: the spec's section.
        rows: how many rows the pack has.
        row_keys: which keys of their own judging the rows have; with digests none is stored.
    """
    metric = choose(evaluate.metric_name, evaluate.metric_options)
    return EvaluationSettings(
        metric=metric.metric.name,
        rows=rows,
        max_new_tokens=evaluate.max_new_tokens,
        include=evaluate.include,
        gate=gate_of(evaluate.gate),
        usd_per_hour=evaluate.usd_per_hour,
        metric_options=metric.options,
        row_keys=row_keys if evaluate.include == "answers" else (),
    )


def gate_of(section: GateSection) -> Gate:
    """What the spec asks for."""
    asked = section.no_regression
    return Gate(
        k=section.k,
        accuracy=section.accuracy,
        axes={str(axis): least for axis, least in (section.axes or {}).items()},
        groups=section.groups or {},
        worst_group=section.worst_group,
        no_regression=None
        if asked is None
        else NoRegression(asked.against, asked.margin, asked.confidence),
    )


def _evaluation_files(settings: EvaluationSettings, results: RunResults) -> dict[str, Path | bytes]:
    pack = results.pack.rows
    stored = settings.include == "answers"
    rows = [
        PackRow(r.id, r.conversation.images, r.accepted, r.digest, r.judging if stored else PLAIN)
        for r in pack
    ]
    files: dict[str, Path | bytes] = {
        layout.EVALUATION: settings.to_bytes(),
        layout.PACK: write_pack(rows, settings.include, settings.row_keys),
    }
    if stored:
        ids = [row.id for row in pack]
        files[layout.PREDICTIONS] = write_predictions(ids, results.predictions)
        files[layout.BASE_PREDICTIONS] = write_predictions(ids, results.base_predictions)
        said = (results.predictions, results.base_predictions)
        stored_bytes = sum(len(data) for data in files.values() if isinstance(data, bytes))
        if problem := too_much(rows, said, stored_bytes):
            fix = "lower evaluate.max_new_tokens, or write evaluate.include: digests"
            raise InputError(Problem(problem, "data.eval", fix))
    return files


def _data_files(results: RunResults) -> dict[str, Path | bytes]:
    train = results.train
    rows = (TrainRow(row.id, row.digest, row.conversation.images) for row in train.rows)
    return {
        layout.DATASET: Dataset(_facts(train), _facts(results.pack)).to_bytes(),
        layout.TRAIN_ROWS: write_train_rows(rows),
    }


def _facts(side: FrozenRows) -> DatasetFacts:
    images = {sha256 for row in side.rows for sha256 in row.conversation.images}
    return DatasetFacts(len(side.rows), len(images), side.digest)


def total_bytes(files: Mapping[str, Path | bytes]) -> int:
    """The sum of the sizes that the manifest will list: the size axis of the K-score."""
    return sum(f.stat().st_size if isinstance(f, Path) else len(f) for f in files.values())
