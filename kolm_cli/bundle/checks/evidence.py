"""What was observed in training fits the module lists: all of it learned, nothing frozen moved."""

from __future__ import annotations

from kolm_cli.bundle.checks.base import Case, Check, Outcome


def _run(case: Case) -> Outcome:
    block = case.receipt.get("vlm_train")
    evidence = block.get("evidence") if isinstance(block, dict) else None
    if not isinstance(evidence, dict):
        return Outcome(None, "the receipt holds no evidence of the training")
    count = len(case.modules.trainable)
    problems = [
        f"{key} is {evidence[key]!r:.40}, modules.json lists {count}"
        for key in ("tensors_trainable", "tensors_with_gradient", "tensors_changed")
        if key in evidence and evidence[key] != count
    ]
    before, after = evidence.get("frozen_digests_before"), evidence.get("frozen_digests_after")
    if not before and case.modules.frozen:
        problems.append("there is no digest of what is frozen")
    if not isinstance(before, dict) or before != after:
        problems.append("frozen parts do not have the same digests before and after training")
    if problems or not isinstance(before, dict):
        return Outcome(False, "; ".join(problems))
    return Outcome(True, f"{count} tensors learned; frozen and unchanged: {', '.join(before)}")


CHECK = Check("evidence", _run)
