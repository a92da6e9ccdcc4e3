"""The statements form one chain: every stage, in order, each naming the one before."""

from __future__ import annotations

from typing import Any

from kolm_cli.bundle.checks.base import Case, Check, Outcome
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.statement import STAGE_TYPE, STATEMENT_TYPE, chain_block, stage_subjects
from kolm_cli.bundle.signing.attestations import read_statement
from kolm_cli.core.digests import sha256_bytes
from kolm_cli.core.errors import VerificationError


def _run(case: Case) -> Outcome:
    stages = case.attestations.stages
    missing = [s for s in layout.STAGES if s not in stages and s != "capture"]
    if missing:
        raise VerificationError(f"the chain lacks {', '.join(missing)}")
    links: list[dict[str, str]] = []
    for stage, envelope in stages.items():
        if stage == "bundle":
            continue
        _statement(case, stage, read_statement(envelope), links[-1] if links else None)
        links.append({"stage": stage, "sha256": sha256_bytes(envelope.payload)})
    if case.receipt.get("chain") != chain_block(links):
        raise VerificationError("the receipt does not name these statements in this order")
    parity = ["parity"] if case.parity_predicates else []
    return Outcome(True, " → ".join([*(link["stage"] for link in links), "bundle", *parity]))


def _statement(
    case: Case, stage: str, statement: dict[str, Any], previous: dict[str, str] | None
) -> None:
    """One stage's statement must be the only one that fits here."""
    predicate = statement.get("predicate")
    if (
        set(statement) != {"_type", "subject", "predicateType", "predicate"}
        or statement["_type"] != STATEMENT_TYPE
        or statement["predicateType"] != STAGE_TYPE
        or not isinstance(predicate, dict)
        or set(predicate) != {"stage", "name", "previous", "facts"}
        or not isinstance(predicate["facts"], dict)
    ):
        raise VerificationError(f"{stage}: not a stage's statement")
    if predicate["stage"] != stage:
        raise VerificationError(f"{stage}: the statement is of {predicate['stage']!r:.40}")
    if predicate["name"] != case.manifest.name:
        raise VerificationError(f"{stage}: the statement is of {predicate['name']!r:.80}")
    if predicate["previous"] != previous:
        raise VerificationError(f"{stage}: the statement does not name the one before it")
    if statement["subject"] != stage_subjects(stage, case.manifest, predicate["facts"]):
        raise VerificationError(f"{stage}: the statement is about other files")


CHECK = Check("chain", _run)
