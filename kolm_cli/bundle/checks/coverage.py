"""Every evaluation row is accounted for, and the share with an answer is what is claimed."""

from __future__ import annotations

from kolm_cli.bundle.checks.base import Case, Check, Outcome
from kolm_cli.bundle.checks.k_score import NOT_RECOMPUTABLE


def _run(case: Case) -> Outcome:
    score = case.score
    if score is None:
        return Outcome(None, NOT_RECOMPUTABLE)
    said, found = case.claimed_evaluation.get("coverage"), score.coverage
    if isinstance(said, bool) or not isinstance(said, int | float) or abs(said - found) > 5e-5:
        return Outcome(False, f"the receipt says {said!r:.40}, the predictions give {found:.4f}")
    rows = len(score.row_scores)
    return Outcome(True, f"{round(found * rows)} of {rows} rows have an answer")


CHECK = Check("coverage", _run)
