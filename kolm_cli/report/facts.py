"""What a report says: read from the bundle, and from what this machine knows beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kolm_cli.bundle.checks.base import Case
from kolm_cli.bundle.container.unpack import require
from kolm_cli.bundle.container.zip_reader import open_file
from kolm_cli.bundle.contents import read_contents
from kolm_cli.bundle.signing.attestations import read_statement
from kolm_cli.bundle.stored_evaluation import StoredEvaluation
from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.bundle.verify import Report, judge
from kolm_cli.core.digests import sha256_bytes
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.pipeline.known_inputs import known_curves, known_pack
from kolm_cli.records.row import Row, rows_digest

AXES = ("A", "S", "L", "C", "V")


@dataclass(frozen=True)
class Step:
    """One statement of the receipt chain.

    Attributes:
        stage: which.
        sha256: the digest of what was signed.
        facts: what it says, a few words each.
    """

    stage: str
    sha256: str
    facts: Mapping[str, str]


@dataclass(frozen=True)
class Facts:
    """Everything that a report shows, as it is; nothing here is escaped.

    Attributes:
        name: the bundle's.
        cid: its CID.
        verdict: what verifying it found, on the machine that made the report.
        base: the base's name and revision.
        evaluation: the receipt's block of that name.
        trained: the receipt's block `vlm_train`.
        environment: the receipt's block of that name.
        stored: settings, pack and answers of the bundle.
        steps: the receipt chain.
        signers: key ids.
        tensors: part to kind (`lora`, `full`, `frozen`) to number of values.
        pack: id to row, with pictures; empty when the pack is not on this machine.
        curves: the learning curves; empty when the training was not on this machine.
        previous: the block `evaluation` of the bundle to compare with; None when there is none.
        previous_cid: its CID.
        started: when the compile began and ended.
    """

    name: str
    cid: str
    verdict: Report
    base: str
    evaluation: Mapping[str, Any]
    trained: Mapping[str, Any]
    environment: Mapping[str, Any]
    stored: StoredEvaluation
    steps: Sequence[Step]
    signers: Sequence[str]
    tensors: Mapping[str, Mapping[str, int]]
    pack: Mapping[str, Row]
    curves: Sequence[Mapping[str, Any]]
    previous: Mapping[str, Any] | None
    previous_cid: str
    started: Sequence[str]


def gather_facts(
    path: Path,
    policy: TrustPolicy,
    *,
    pack: Sequence[Row] | None = None,
    previous: Mapping[str, Any] | None = None,
    previous_cid: str = "",
) -> Facts:
    """Read all that a report shows.

    Args:
        path: the bundle. It must be intact; the report says whether its signer is trusted.
        policy: whom the reader trusts.
        pack: the rows of its evaluation; those that this machine knows when None.
        previous: the block `evaluation` of an earlier bundle's receipt.
        previous_cid: that bundle's CID.

    Raises:
        InputError: there is no such file, or the rows are not those of its evaluation.
        VerificationError: the bundle is not intact.
    """
    with open_file(path) as stream:
        contents = read_contents(stream)
    report = judge(contents, policy)
    require(report, path, allow_untrusted=True)
    case = Case(contents, policy, datetime.now(UTC))
    manifest, receipt, stored = case.manifest, case.receipt, case.evaluation
    found = case.attestations
    wanted = _eval_digest(found.stages)
    rows = known_pack(wanted) if pack is None else list(pack)
    if pack is not None and rows_digest(rows) != wanted:
        raise InputError(
            Problem(
                "these are not the rows that the bundle was scored on: their digest is another",
                "--pack",
                "name the source as data.eval had it",
            )
        )
    details = found.receipt_statement["predicate"]["runDetails"]["metadata"]
    return Facts(
        name=manifest.name,
        cid=manifest.cid,
        verdict=report,
        base=f"{manifest.base.model} {manifest.base.revision}".strip(),
        evaluation=block(receipt, "evaluation"),
        trained=block(receipt, "vlm_train"),
        environment=block(receipt, "environment"),
        stored=stored,
        steps=_steps(found.stages, receipt),
        signers=(found.receipt.key_id, *(e.key_id for e in found.co_signatures.values())),
        tensors=_tensors(case),
        pack={row.id: row for row in rows},
        curves=known_curves(manifest.cid),
        previous=previous,
        previous_cid=previous_cid,
        started=(str(details.get("startedOn")), str(details.get("finishedOn"))),
    )


def block(value: Any, *path: str) -> Mapping[str, Any]:
    """The object at a path in somebody's JSON; empty when there is something else."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def share(value: Any) -> float | None:
    """A number from 0 to 1 out of somebody's JSON, None for anything else."""
    return float(value) if type(value) in (int, float) and 0 <= value <= 1 else None


def axes_of(evaluation: Mapping[str, Any]) -> dict[str, float | None]:
    """The axes of K that a receipt states."""
    axes = block(evaluation, "k_score", "axes")
    return {axis: share(axes.get(axis)) for axis in AXES}


def _eval_digest(stages: Mapping[str, Any]) -> str:
    facts = block(read_statement(stages["dataset"]), "predicate", "facts", "eval")
    return str(facts.get("sha256", ""))


def _steps(stages: Mapping[str, Any], receipt: Any) -> list[Step]:
    digests = {
        str(link.get("stage")): str(link.get("sha256"))
        for link in block(receipt, "chain").get("stages", [])
        if isinstance(link, dict)
    }
    steps = []
    for stage, envelope in stages.items():
        facts = block(read_statement(envelope), "predicate", "facts")
        words = {
            name: str(value)
            for name, value in _flat(facts)
            if isinstance(value, str | int | float) and 0 < len(str(value)) <= 80
        }
        sha256 = digests.get(stage) or sha256_bytes(envelope.payload)
        steps.append(Step("receipt" if stage == "bundle" else stage, sha256, words))
    return steps


def _flat(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, item in value.items():
        if isinstance(item, dict):
            found += _flat(item, f"{prefix}{name} ")
        else:
            found.append((f"{prefix}{name}", item))
    return found[:40]


def _tensors(case: Case) -> dict[str, dict[str, int]]:
    """How many values of each part train, and how."""
    counts: dict[str, dict[str, int]] = {}
    for kind, tensors in (
        ("lora", [t for t in case.modules.trainable if t.kind == "lora"]),
        ("full", [t for t in case.modules.trainable if t.kind == "full"]),
        ("frozen", case.modules.frozen),
    ):
        for tensor in tensors:
            size = 1
            for length in tensor.shape:
                size *= length
            part = counts.setdefault(tensor.part, {"lora": 0, "full": 0, "frozen": 0})
            part[kind] += size
    return counts
