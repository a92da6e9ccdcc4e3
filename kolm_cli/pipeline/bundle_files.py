"""What stands under the CID: an allow list that kolm writes, file by file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kolm_cli.core import canonical_json
from kolm_cli.pipeline.inputs import Inputs
from kolm_cli.pipeline.scores import Predictions
from kolm_cli.records.row import Row, rows_digest
from kolm_cli.run.folder import RunFolder
from kolm_cli.spec.digest_forms import bundle_form

# Keys that say where this machine found something, not what it is.
_LOCAL_KEYS = frozenset({"is_local", "local_files_only", "name_or_path", "_name_or_path"})
# Keys through which a configuration could make a loader run code.
_CODE_KEYS = frozenset({"auto_map", "custom_pipelines"})
_PROCESSOR_SUFFIXES = (".json", ".jinja", ".model", ".txt")


def bundle_files(
    inputs: Inputs,
    run: RunFolder,
    train: Sequence[Row],
    pack: Sequence[Row],
    predictions: Predictions,
    base_predictions: Predictions,
) -> dict[str, Path | bytes]:
    """Every file of the bundle but the manifest and the attestations."""
    adapter = run.trained / "adapter"
    files: dict[str, Path | bytes] = {
        f"adapter/{path.name}": path for path in sorted(adapter.iterdir())
    }
    files |= processor_files(run.trained / "processor")
    files |= _evaluation_files(inputs, pack, predictions, base_predictions)
    files |= _data_files(train, pack)
    files["modules.json"] = run.trained / "modules.json"
    files["spec.yaml"] = bundle_form(
        inputs.spec,
        train_digest=rows_digest(list(train)),
        eval_digest=rows_digest(list(pack)),
        base_identity=inputs.base.name,
    )
    return files


def processor_files(folder: Path) -> dict[str, Path | bytes]:
    """The processor's configuration, JSON rewritten without what is local to this machine."""
    files: dict[str, Path | bytes] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.suffix not in _PROCESSOR_SUFFIXES:
            continue
        name = f"processor/{path.relative_to(folder)}"
        if path.suffix == ".json" and path.name.endswith("config.json"):
            content = json.loads(path.read_bytes())
            text = json.dumps(_portable(content), indent=2, sort_keys=True, ensure_ascii=False)
            files[name] = text.encode() + b"\n"
        else:
            files[name] = path
    return files


def _portable(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _portable(v) for k, v in value.items() if not _is_dropped(k, v)}
    if isinstance(value, list):
        return [_portable(item) for item in value]
    return value


def _is_dropped(key: str, value: Any) -> bool:
    # transformers writes 1e30 for "no limit", which is what a missing key means; as an integer
    # it is beyond what JSON readers agree on.
    unlimited = key == "model_max_length" and isinstance(value, int) and value >= 2**53
    return unlimited or key in _LOCAL_KEYS or key in _CODE_KEYS


def _lines(records: Sequence[Mapping[str, Any]]) -> bytes:
    return b"".join(canonical_json.dumps(dict(record)) + b"\n" for record in records)


def _evaluation_files(
    inputs: Inputs, pack: Sequence[Row], predictions: Predictions, base_predictions: Predictions
) -> dict[str, Path | bytes]:
    evaluate = inputs.spec.evaluate
    gate = evaluate.gate.model_dump(mode="json", exclude_none=True)
    facts: dict[str, Any] = {
        "format": "kolm-eval/1",
        "metric": evaluate.metric,
        "max_new_tokens": evaluate.max_new_tokens,
        "include": evaluate.include,
        "rows": len(pack),
        "gate": gate,
        "usd_per_hour": evaluate.usd_per_hour,
    }
    files: dict[str, Path | bytes] = {"eval/evaluation.json": canonical_json.dumps(facts)}
    if evaluate.include == "digests":
        files["eval/pack.jsonl"] = _lines(
            [{"id": r.id, "images": list(r.conversation.images), "sha256": r.digest} for r in pack]
        )
        return files
    files["eval/pack.jsonl"] = _lines(
        [
            {"id": r.id, "images": list(r.conversation.images), "answers": list(r.accepted)}
            for r in pack
        ]
    )
    for name, said in (("predictions", predictions), ("base_predictions", base_predictions)):
        records = [{"id": row.id, "prediction": said.get(row.id)} for row in pack]
        files[f"eval/{name}.jsonl"] = _lines(records)
    return files


def _data_files(train: Sequence[Row], pack: Sequence[Row]) -> dict[str, Path | bytes]:
    return {
        "data/dataset.json": canonical_json.dumps(
            {
                "format": "kolm-dataset/1",
                "train": _dataset_facts(train),
                "eval": _dataset_facts(pack),
            }
        ),
        "data/train.jsonl": _lines(
            [{"id": r.id, "sha256": r.digest, "images": list(r.conversation.images)} for r in train]
        ),
    }


def _dataset_facts(rows: Sequence[Row]) -> dict[str, Any]:
    images = {sha256 for row in rows for sha256 in row.conversation.images}
    return {"rows": len(rows), "images": len(images), "sha256": rows_digest(list(rows))}


def total_bytes(files: Mapping[str, Path | bytes]) -> int:
    """The sum of the sizes that the manifest will list: the size axis of the K-score."""
    return sum(f.stat().st_size if isinstance(f, Path) else len(f) for f in files.values())
