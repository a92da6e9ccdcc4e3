"""Whether the gate was met is what the receipt says."""

from __future__ import annotations

from kolm_cli.bundle.checks.base import Case, Check, Outcome
from kolm_cli.bundle.checks.k_score import NOT_RECOMPUTABLE, claimed
from kolm_cli.bundle.format.evaluation import recomputed
from kolm_cli.scoring.gate import judge


def _run(case: Case) -> Outcome:
    evaluation = case.evaluation
    if evaluation.answers is None:
        return Outcome(None, NOT_RECOMPUTABLE)
    claims = claimed(case)
    accuracy = case.accuracy
    score = recomputed(evaluation, accuracy, case.manifest, claims.get("latency_us"))
    result = judge(evaluation.gate, score.k, accuracy)
    block = claims.get("gate")
    said = block.get("passed") if isinstance(block, dict) else None
    if said is not result.passed:
        verb = "met" if result.passed else "not met"
        return Outcome(False, f"the gate was {verb}; the receipt says passed: {said!r:.40}")
    if not result.passed:
        # True to what was measured, so the bundle is intact; a gate is not a signature.
        return Outcome(True, f"NOT met, as the receipt says: {'; '.join(result.failed)}")
    asked = [
        f"{n} {v}" for n in ("k", "accuracy") if (v := getattr(evaluation.gate, n)) is not None
    ]
    return Outcome(True, f"met: {', '.join(asked)}" if asked else "nothing was asked for")


CHECK = Check("gate", _run)
