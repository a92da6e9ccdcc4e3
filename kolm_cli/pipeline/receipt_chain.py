"""What is attested of each stage of a compile: the links of the receipt chain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kolm_cli.bundle.build import Stage
from kolm_cli.core import digests
from kolm_cli.pipeline.inputs import Inputs
from kolm_cli.pipeline.run_results import FrozenRows, RunResults
from kolm_cli.records.row import Row
from kolm_cli.scoring.score import ScoreReport
from kolm_cli.spec.sources import CaptureSource

# A statement is read whole by a verifier: beyond this, the list is there by its digest only.
LISTED_PAIRS = 10_000
LISTED_PICTURES = 8_000


def stages_of(inputs: Inputs, results: RunResults, score: ScoreReport) -> list[Stage]:
    """The stages in their order; without captured pairs the chain starts at the dataset."""
    evidence, train, pack = results.vlm_train["evidence"], results.train, results.pack
    stages = []
    if isinstance(inputs.loaded.train_source, CaptureSource):
        stages.append(Stage("capture", _capture(inputs.loaded.train_source, train.rows)))
    stages += [
        Stage("dataset", {"train": _rows(train), "eval": _rows(pack)}),
        Stage(
            "train",
            {
                "base": inputs.base.name,
                "dataset_sha256": train.digest,
                "optimizer_steps": evidence["optimizer_steps"],
                "frozen_digests": evidence["frozen_digests_after"],
            },
        ),
        Stage(
            "evaluate",
            {
                "metric": inputs.spec.evaluate.metric_name,
                "pack_sha256": pack.digest,
                "accuracy": score.accuracy,
                "base_accuracy": score.base_accuracy,
                "coverage": score.coverage,
            },
        ),
    ]
    return stages


def _capture(source: CaptureSource, rows: Sequence[Row]) -> dict[str, Any]:
    """Each pair's digest, where it came from and who accepted it; never its content."""
    provenance = [dict(row.provenance) for row in rows]
    facts: dict[str, Any] = {
        "namespace": source.namespace,
        "split": source.split or "",
        "pairs": len(rows),
        "accepted": sum(entry["review"] == "accepted" for entry in provenance),
        "accepted_by": sorted({entry["reviewer"] for entry in provenance} - {""}),
        "provenance_sha256": digests.sha256_json(provenance),
    }
    if len(rows) <= LISTED_PAIRS:
        facts["provenance"] = provenance
    return facts


def _rows(side: FrozenRows) -> dict[str, Any]:
    """Count and digest of the rows, where their images were, and how each was shown."""
    facts: dict[str, Any] = {"rows": len(side.rows), "sha256": side.digest}
    if side.outside:
        facts["images_outside"] = side.outside
    pictures = side.pictures
    if pictures is not None and any(pictures):
        facts["pictures_sha256"] = digests.sha256_json(pictures)
        if sum(map(len, pictures)) + len(pictures) <= LISTED_PICTURES:
            facts["pictures"] = pictures
    return facts
