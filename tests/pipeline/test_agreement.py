"""What a real compile claims is in the tables of the verifier, claim for claim."""

from __future__ import annotations

from kolm_cli.bundle.checks.claims import related
from tests.bundle.claims import statements_of
from tests.support.jobs import Compiled


def test_every_claim_of_a_compile_is_related_or_stands_alone(compiled: Compiled) -> None:
    names = set(statements_of(compiled.bundle).names("receipt", "run", "stage", "spec"))
    assert sorted(name for name in names if not related(name, names)) == []


def test_what_was_compiled_agrees(compiled: Compiled) -> None:
    checks = compiled.job.kolm("verify", compiled.bundle, "--json").json["checks"]
    agreement = next(check for check in checks if check["name"] == "agreement")
    assert agreement["ok"] is True, agreement
    assert int(agreement["detail"].split()[0]) > 50
