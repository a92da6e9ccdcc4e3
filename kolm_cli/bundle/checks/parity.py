"""What parity statements say of a server's answers follows from the bundle's own files."""

from __future__ import annotations

from kolm_cli.bundle.checks.base import Case, Check, Outcome
from kolm_cli.bundle.format.parity import Parity, mean
from kolm_cli.core.errors import VerificationError
from kolm_cli.scoring.score import row_scores, weights_of


def _run(case: Case) -> Outcome:
    said = []
    for parity, key_id in case.parity:
        _recompute(case, parity)
        refused = case.policy.refusal(key_id, case.manifest.name, case.now)
        trusted = "trusted" if refused is None else f"NOT trusted: {refused}"
        said.append(
            f"{parity.program}: {parity.equal} of {parity.rows} answers equal, signed by {key_id}"
            f" ({trusted})"
        )
    return Outcome(True, "; ".join(said)) if said else Outcome(None, "no server was measured")


def _recompute(case: Case, parity: Parity) -> None:
    evaluation = case.evaluation
    stored = evaluation.predictions
    if stored is None:
        raise VerificationError("parity with answers that the bundle does not hold")
    if parity.rows != len(evaluation.pack) or not parity.rows:
        raise VerificationError(f"parity of {parity.rows} rows, and the pack has others")
    if parity.equal / parity.rows < parity.asked_for:
        raise VerificationError(f"parity of {parity.equal} equal answers is below what it asks for")
    differ = dict(parity.differ)
    order = [row.id for row in evaluation.pack if row.id in differ]
    if order != [row for row, _ in parity.differ]:
        raise VerificationError("parity with rows that are not the pack's, in its order")
    same = [row for row, answer in differ.items() if stored[row] == answer]
    if same:
        raise VerificationError(f"parity: {same[0]!r:.80} is said to differ, and does not")
    metric, weights = evaluation.settings.scoring().metric, weights_of(evaluation.pack)
    accuracy = tuple(
        mean(row_scores(metric, evaluation.pack, answers), weights)
        for answers in (stored, {**stored, **differ})
    )
    if accuracy != parity.accuracy:
        raise VerificationError(f"parity: the accuracies are {accuracy}, not {parity.accuracy}")


CHECK = Check("parity", _run)
