"""The digests of the data fit together."""

from __future__ import annotations

from typing import Any

from kolm_cli.bundle.checks.base import Case, Check, Outcome
from kolm_cli.bundle.format import layout
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import VerificationError


def _run(case: Case) -> Outcome:
    evidence = case.evidence
    data = evidence.content(layout.DATASET)
    value = canonical_json.loads_canonical(data, max_bytes=64 * layout.KIB)
    if (
        not isinstance(value, dict)
        or set(value) != {"format", "train", "eval"}
        or value["format"] != "kolm-dataset/1"
    ):
        raise VerificationError(f"{layout.DATASET} is not of the form kolm-dataset/1")
    if evidence.train.problem:
        raise VerificationError(f"{layout.TRAIN_ROWS}: {evidence.train.problem}")
    train, pack = _facts(value["train"]), _facts(value["eval"])
    rows, images = evidence.train.rows, len(evidence.train.images)
    if (train["rows"], train["images"], train["sha256"]) != (rows, images, evidence.train.sha256):
        raise VerificationError(f"{layout.TRAIN_ROWS} is not the training data that is named")
    if (pack["rows"], pack["images"]) != (case.evaluation.rows, len(case.evaluation.images)):
        raise VerificationError(f"{layout.PACK} is not the evaluation data that is named")
    return Outcome(True, f"{rows} training rows with {images} images")


def _facts(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != {"rows", "images", "sha256"}:
        raise VerificationError(f"{layout.DATASET}: not exactly rows, images, sha256")
    return value


CHECK = Check("dataset", _run)
