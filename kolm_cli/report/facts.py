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
from kolm_cli.bundle.format.parity import Parity
from kolm_cli.bundle.receipt import pack_digest
from kolm_cli.bundle.signing.attestations import read_statement
from kolm_cli.bundle.stored_evaluation import StoredEvaluation
from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.bundle.verify import Report, judge
from kolm_cli.core.digests import sha256_bytes
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.pipeline.during import held_out
from kolm_cli.pipeline.known_inputs import known_curves, known_pack
from kolm_cli.records.row import Row, rows_digest

AXES = ("A", "S", "L", "C", "V")


@dataclass(frozen=True)
class Before:
    """An earlier bundle, to compare with.

    Attributes:
        cid: its CID.
        evaluation: the block of that name of its receipt.
        pack: the digest of the rows that it was scored on.
        why: what it is to the bundle of the report.
    """

    cid: str
    evaluation: Mapping[str, Any]
    pack: str
    why: str


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
        pack_digest: names the rows that it was scored on.
        curves: the learning curves; empty when the training was not on this machine.
        started: when the compile began and ended.
        rulings: each thing that the gate asked for; none when the bundle holds digests alone.
        shown: how each picture of the evaluation was shown, as the dataset's statement has it;
            empty when it does not list them.
        parity: what was found of servers, and the id of the key that signed it, and whether that
            key is trusted here.
        previous: the bundle to compare with, for whoever has found one.
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
    pack_digest: str
    curves: Sequence[Mapping[str, Any]]
    started: Sequence[str]
    rulings: Sequence[Mapping[str, Any]]
    shown: Sequence[Mapping[str, Any]]
    parity: Sequence[tuple[Parity, str, bool]]
    previous: Before | None = None


def gather_facts(
    path: Path,
    policy: TrustPolicy,
    *,
    pack: Sequence[Row] | None = None,
) -> Facts:
    """Read all that a report shows.

    Args:
        path: the bundle. It must be intact; the report says whether its signer is trusted.
        policy: whom the reader trusts.
        pack: the rows of its evaluation; those that this machine knows when None.

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
    wanted = pack_digest(found.stages)
    chose = held_out(block(receipt, "vlm_train"))
    rows = known_pack(wanted) if pack is None else [r for r in pack if r.digest not in chose]
    if pack is not None and rows_digest(rows) != wanted:
        raise InputError(
            Problem(
                "these are not the rows that the bundle was scored on: their digest is another",
                "--pack",
                "name the source as data.eval had it",
            )
        )
    scored = case.score
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
        pack_digest=wanted,
        curves=known_curves(manifest.cid),
        started=(str(details.get("startedOn")), str(details.get("finishedOn"))),
        rulings=[] if scored is None else [one.as_json() for one in scored.gate.rulings],
        shown=_shown(found.stages),
        parity=[
            (said, key, policy.refusal(key, manifest.name, case.now) is None)
            for said, key in case.parity
        ],
    )


def _shown(stages: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What the dataset's statement lists of the evaluation's pictures."""
    facts = block(read_statement(stages["dataset"]), "predicate", "facts", "eval")
    rows = facts.get("pictures")
    listed = [row for row in rows if isinstance(row, list)] if isinstance(rows, list) else []
    return [one for row in listed for one in row if isinstance(one, dict)]


def block(value: Any, *path: str) -> Mapping[str, Any]:
    """The object at a path in somebody's JSON; empty when there is something else."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def share(value: Any) -> float | None:
    """A number from 0 to 1 out of somebody's JSON, None for anything else."""
    return float(value) if type(value) in (int, float) and 0 <= value <= 1 else None


def number(value: Any) -> float | None:
    """A number out of somebody's JSON, None for anything else."""
    return float(value) if type(value) in (int, float) else None


def pair(value: Any, *, least: float = 0.0) -> tuple[float, float] | None:
    """An interval out of somebody's JSON, None for anything else."""
    fits = isinstance(value, list) and len(value) == 2
    if not fits or not all(type(v) in (int, float) and least <= v <= 1 for v in value):
        return None
    return float(value[0]), float(value[1])


def axes_of(evaluation: Mapping[str, Any]) -> dict[str, float | None]:
    """The axes of K that a receipt states."""
    axes = block(evaluation, "k_score", "axes")
    return {axis: share(axes.get(axis)) for axis in AXES}


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
