"""The score that the receipt claims is what the bundle's own predictions give."""

from __future__ import annotations

from typing import Any

from kolm_cli.bundle.checks.base import Case, Check, Outcome
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.evaluation import recomputed
from kolm_cli.core.errors import VerificationError

NOT_RECOMPUTABLE = "not recomputable: the bundle holds digests of the evaluation, not its answers"


def _run(case: Case) -> Outcome:
    if case.evaluation.answers is None:
        return Outcome(None, NOT_RECOMPUTABLE)
    claims = claimed(case)
    accuracy = case.accuracy
    base_accuracy = case.evaluation.accuracy(layout.BASE_PREDICTIONS)
    score = recomputed(case.evaluation, accuracy, case.manifest, claims.get("latency_us"))
    problems = []
    for what, said, found in (
        ("metric", claims.get("metric"), case.evaluation.metric),
        ("accuracy", _rounded(claims.get("accuracy")), _rounded(accuracy)),
        ("base accuracy", _rounded(claims.get("base_accuracy")), _rounded(base_accuracy)),
        ("spec", claims["k_score"].get("spec"), score.spec),
        ("K", claims["k_score"].get("k"), score.k),
        ("axes", claims["k_score"].get("axes"), score.axes),
    ):
        if said != found:
            problems.append(f"{what}: the receipt says {said!r:.120}, the files give {found!r}")
    if problems:
        return Outcome(False, "; ".join(problems))
    k = "undefined" if score.k is None else f"{score.k:.4f}"
    return Outcome(True, f"K {k}, accuracy {accuracy:.4f} (base {base_accuracy:.4f})")


def claimed(case: Case) -> dict[str, Any]:
    """The receipt's `evaluation` block.

    Raises:
        VerificationError: there is none, or no K-score in it.
    """
    block = case.receipt.get("evaluation")
    if not isinstance(block, dict) or not isinstance(block.get("k_score"), dict):
        raise VerificationError("the receipt has no evaluation with a k_score")
    return block


def _rounded(value: Any) -> float | None:
    """To the places that are shown: the last bits of a mean depend on how it was summed."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(float(value), 4)


CHECK = Check("k-score", _run)
