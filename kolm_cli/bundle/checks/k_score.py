"""The score that the receipt claims is what the bundle's own predictions give."""

from __future__ import annotations

from typing import Any

from kolm_cli.bundle.checks.base import Case, Check, Outcome
from kolm_cli.scoring.k_score import PLACES

NOT_RECOMPUTABLE = "not recomputable: the bundle holds digests of the evaluation, not its answers"


def _run(case: Case) -> Outcome:
    score = case.score
    if score is None:
        return Outcome(None, NOT_RECOMPUTABLE)
    claims, settings = case.claimed_evaluation, case.evaluation.settings
    said_score = claims["k_score"]
    problems = []
    for what, said, found in (
        ("metric", claims.get("metric"), settings.metric),
        ("metric options", claims.get("metric_options", {}), dict(settings.metric_options)),
        ("accuracy", _rounded(claims.get("accuracy")), _rounded(score.accuracy)),
        ("base accuracy", _rounded(claims.get("base_accuracy")), _rounded(score.base_accuracy)),
        ("spec", said_score.get("spec"), score.k.spec),
        ("K", said_score.get("k"), score.k.k),
        ("axes", said_score.get("axes"), score.k.axes),
    ):
        if said != found:
            problems.append(f"{what}: the receipt says {said!r:.120}, the files give {found!r}")
    if problems:
        return Outcome(False, "; ".join(problems))
    k = "undefined" if score.k.k is None else f"{score.k.k:.4f}"
    base = f" (base {score.base_accuracy:.4f})" if score.base_accuracy is not None else ""
    return Outcome(True, f"K {k}, accuracy {score.accuracy:.4f}{base}")


def _rounded(value: Any) -> float | None:
    """To the places that are shown: the last bits of a mean depend on how it was summed."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(float(value), PLACES)


CHECK = Check("k-score", _run)
