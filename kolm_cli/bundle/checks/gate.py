"""Whether the gate was met is what the receipt says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kolm_cli.bundle.checks.base import Case, Check, Outcome
from kolm_cli.bundle.checks.k_score import NOT_RECOMPUTABLE

# How the detail of an honest bundle begins that did not reach its gate.
NOT_MET = "NOT met"


def _run(case: Case) -> Outcome:
    score = case.score
    if score is None:
        return Outcome(None, NOT_RECOMPUTABLE)
    block = case.claimed_evaluation.get("gate")
    said = block.get("passed") if isinstance(block, dict) else None
    if said is not score.gate.passed:
        verb = "met" if score.gate.passed else "not met"
        return Outcome(False, f"the gate was {verb}; the receipt says passed: {said!r:.40}")
    if not score.gate.passed:
        # True to what was measured, so the bundle is intact; a gate is not a signature.
        return Outcome(True, f"{NOT_MET}, as the receipt says: {'; '.join(score.gate.failed)}")
    gate = case.evaluation.settings.gate.as_json()
    asked = [f"{name} {_in_words(least)}" for name, least in gate.items()]
    return Outcome(True, f"met: {', '.join(asked)}" if asked else "nothing was asked for")


def _in_words(least: Any) -> str:
    if not isinstance(least, Mapping):
        return str(least)
    return f"({', '.join(f'{name} {value}' for name, value in least.items())})"


CHECK = Check("gate", _run)
