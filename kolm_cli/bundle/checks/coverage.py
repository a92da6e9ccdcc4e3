"""Every evaluation row is accounted for, and the share with an answer is what is claimed."""

from __future__ import annotations

from kolm_cli.bundle.checks.base import Case, Check, Outcome
from kolm_cli.bundle.checks.k_score import NOT_RECOMPUTABLE, claimed


def _run(case: Case) -> Outcome:
    evaluation = case.evaluation
    if evaluation.answers is None:
        return Outcome(None, NOT_RECOMPUTABLE)
    said, found = claimed(case).get("coverage"), evaluation.coverage
    if isinstance(said, bool) or not isinstance(said, int | float) or abs(said - found) > 5e-5:
        return Outcome(False, f"the receipt says {said!r:.40}, the predictions give {found:.4f}")
    answered = round(found * evaluation.rows)
    return Outcome(True, f"{answered} of {evaluation.rows} rows have an answer")


CHECK = Check("coverage", _run)
