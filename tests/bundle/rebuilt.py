"""A real bundle written again with other files or claims, and signed as its maker would sign it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kolm_cli.bundle.build import BaseIdentity, Content, Stage, build_bundle
from kolm_cli.bundle.checks.previous import claimed_previous
from kolm_cli.bundle.contents import read_contents
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.stored_evaluation import read_evaluation
from kolm_cli.scoring.gate import Reached, judge
from kolm_cli.scoring.score import Measurements, k_of
from tests.bundle.forge import files_of, payload_of


def rebuilt(
    bundle: Path,
    out: Path,
    signer: keys.Signer,
    changes: Mapping[str, bytes | None],
    edit: Callable[[dict[str, Any]], Any] = lambda receipt: None,
    *,
    manifest: Callable[[dict[str, Any]], Any] = lambda manifest: None,
) -> None:
    """Write `bundle` again as `out`, with its score for the new size.

    Args:
        bundle: a good bundle.
        out: where the other one goes.
        signer: who signs it.
        changes: path to content of the files that are others; None takes one away.
        edit: changes the receipt's facts.
        manifest: changes the name or the base.
    """
    files = files_of(bundle)
    named = json.loads(files[layout.MANIFEST])
    manifest(named)
    receipt = json.loads(payload_of(files[layout.RECEIPT]))["predicate"]["buildDefinition"][
        "internalParameters"
    ]
    receipt.pop("chain")
    stages = [
        Stage(stage, json.loads(payload_of(files[path]))["predicate"]["facts"])
        for stage in layout.STAGES[:-1]
        if (path := layout.stage_path(stage)) in files
    ]
    kept = {path: data for path, data in files.items() if layout.is_attested(path)}
    content = {path: data for path, data in {**kept, **changes}.items() if data is not None}
    with bundle.open("rb") as stream:
        evaluation = read_evaluation(read_contents(stream))
    size = sum(len(data) for data in content.values())
    claims = receipt["evaluation"]
    measured, price = Measurements(size, claims["latency_us"]), evaluation.settings.usd_per_hour
    k = k_of(claims["accuracy"], claims["coverage"], measured, price)
    claims["k_score"] |= {"k": k.k, "axes": k.axes}
    reached = Reached(
        k=k.k,
        accuracy=claims["accuracy"],
        axes=k.axes,
        groups={name: one["accuracy"] for name, one in claims.get("groups", {}).items()},
        previous=claimed_previous(claims),
    )
    gate = judge(evaluation.settings.gate, reached)
    claims["gate"] = {"passed": gate.passed, "failed": list(gate.failed)}
    edit(receipt)
    base = named["base"]
    now = datetime.now(UTC)
    build_bundle(
        Content(
            name=named["name"],
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
