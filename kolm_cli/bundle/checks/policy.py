"""Enough keys that the verifier trusts for this name have signed."""

from __future__ import annotations

from kolm_cli.bundle.checks.base import Case, Check, Outcome


def _run(case: Case) -> Outcome:
    found, name = case.attestations, case.manifest.name
    signers = [found.receipt.key_id, *(e.key_id for e in found.co_signatures.values())]
    enough, counted, refused = case.policy.judge(signers, name, case.now)
    reasons = "; ".join(f"{key} {reason}" for key, reason in refused.items())
    if not enough:
        needed = case.policy.threshold(name)
        return Outcome(
            False, f"{len(counted)} of {needed} trusted signatures; {reasons}".rstrip("; ")
        )
    return Outcome(True, f"trusted for {name}: {', '.join(counted)}")


CHECK = Check("policy", _run, trust=True)
