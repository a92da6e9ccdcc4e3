"""The receipt is about this manifest, and repeats nothing that the manifest contradicts."""

from __future__ import annotations

from kolm_cli.bundle.checks.base import Case, Check, Outcome
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.statement import (
    PROVENANCE_TYPE,
    STATEMENT_TYPE,
    provenance_parts,
    receipt_subject,
)
from kolm_cli.core.errors import VerificationError

_DEFINITION = {"buildType", "externalParameters", "internalParameters", "resolvedDependencies"}


def _run(case: Case) -> Outcome:
    statement = case.attestations.receipt_statement
    if set(statement) != {"_type", "subject", "predicateType", "predicate"}:
        raise VerificationError("the receipt is not an in-toto statement")
    if statement["_type"] != STATEMENT_TYPE or statement["predicateType"] != PROVENANCE_TYPE:
        raise VerificationError("the receipt is not SLSA provenance v1 in an in-toto statement v1")
    if statement["subject"] != [receipt_subject(case.manifest)]:
        raise VerificationError("the receipt is about another bundle's manifest")
    predicate = statement["predicate"]
    if not isinstance(predicate, dict) or set(predicate) != {"buildDefinition", "runDetails"}:
        raise VerificationError("the receipt's predicate is not SLSA provenance v1")
    definition = predicate["buildDefinition"]
    if not isinstance(definition, dict) or set(definition) != _DEFINITION:
        raise VerificationError("the receipt's buildDefinition is not of kolm's form")
    for key, value in provenance_parts(case.manifest).items():
        if definition.get(key) != value:
            raise VerificationError(f"the receipt's {key} does not fit the manifest")
    return Outcome(True, f"the receipt is about this {layout.MANIFEST}")


CHECK = Check("subject", _run)
