"""A real bundle written again with other files or claims, and signed as its maker would sign it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kolm_cli.bundle.build import BaseIdentity, Content, Stage, build_bundle
from kolm_cli.bundle.contents import read_contents
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.stored_evaluation import read_evaluation
from kolm_cli.scoring.score import Measurements
from tests.bundle.forge import files_of, payload_of


def rebuilt(
    bundle: Path,
    out: Path,
    signer: keys.Signer,
    changes: Mapping[str, bytes],
    edit: Callable[[dict[str, Any]], Any] = lambda receipt: None,
) -> None:
    """Write `bundle` again as `out`, with its score for the new size.

    Args:
        bundle: a good bundle.
        out: where the other one goes.
        signer: who signs it.
        changes: path to content of the files that are others.
        edit: changes the receipt's facts.
    """
    files = files_of(bundle)
    manifest = json.loads(files[layout.MANIFEST])
    receipt = json.loads(payload_of(files[layout.RECEIPT]))["predicate"]["buildDefinition"][
        "internalParameters"
    ]
    receipt.pop("chain")
    stages = [
        Stage(stage, json.loads(payload_of(files[path]))["predicate"]["facts"])
        for stage in layout.STAGES[:-1]
        if (path := layout.stage_path(stage)) in files
    ]
    content = {path: data for path, data in files.items() if layout.is_attested(path)} | changes
    with bundle.open("rb") as stream:
        evaluation = read_evaluation(read_contents(stream))
    size = sum(len(data) for data in content.values())
    score = evaluation.score(Measurements(size, receipt["evaluation"]["latency_us"]))
    assert score is not None
    receipt["evaluation"] |= score.as_json()
    edit(receipt)
    base = manifest["base"]
    now = datetime.now(UTC)
    build_bundle(
        Content(
            name=manifest["name"],
            base=BaseIdentity(base["model"], base["revision"], base["weights"]),
            files=dict(content),
            receipt=receipt,
            stages=stages,
            started=now,
            finished=now,
        ),
        signer,
        out,
    )
