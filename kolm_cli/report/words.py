"""What a report says in words: verdict, gates, comparisons, training, plan, servers."""

from __future__ import annotations

from typing import Any

from kolm_cli.report.facts import Facts, block, number, pair, share
from kolm_cli.scoring.comparison import verdict
from kolm_cli.scoring.gate import certainty

_AGAINST = {
    "base": "Against the base",
    "majority": "Against the most frequent answer",
    "previous": "Against the bundle that the gate names",
}


def headline(facts: Facts) -> dict[str, Any]:
    """The verdict, as a person would say it."""
    evaluation = facts.evaluation
    gate = block(evaluation, "gate")
    accuracy, base = share(evaluation.get("accuracy")), share(evaluation.get("base_accuracy"))
    interval = block(evaluation, "k_score").get("accuracy_ci95")
    failed = gate.get("failed")
    return {
        "passed": gate.get("passed") is True,
        "failed": [str(one) for one in failed] if isinstance(failed, list) else [],
        "asked": bool(facts.stored.settings.gate.as_json()),
        "accuracy": accuracy,
        "base": base,
        "interval": pair(interval),
        "k": share(block(evaluation, "k_score").get("k")),
        "metric": str(evaluation.get("metric")),
        "rows": len(facts.stored.pack),
    }


def _p(value: Any) -> str:
    p = share(value)
    return "-" if p is None else f"{p:.4f}" if p >= 0.0001 else "below 0.0001"


def gates(facts: Facts) -> list[tuple[str, str, str, str, str]]:
    """For each thing that was asked: what, the ruling, the least, what came, how sure."""
    found = []
    for one in facts.rulings:
        came = "-" if one["came"] is None else f"{one['came']:.4f}"
        ruling = "passed" if one["passed"] else "FAILED"
        sure = certainty(one) or (one["note"] if one["came"] is None else "-")
        found.append((str(one["gate"]), ruling, f"{one['asked']:g}", came, sure))
    return found


def scores(facts: Facts) -> list[tuple[str, str]]:
    """Comparisons, in words: by the receipt."""
    lines = []
    for name, found in block(facts.evaluation, "compared").items():
        if not isinstance(found, dict):
            continue
        difference, between = found.get("difference"), pair(found.get("ci95"), least=-1.0)
        if type(difference) not in (int, float) or between is None:
            continue
        lines.append(
            (
                _AGAINST.get(name, f"Against {name}"),
                f"{difference:+.4f} (95 %: {between[0]:+.4f} to {between[1]:+.4f}):"
                f" {verdict(between)}; {found.get('wins')} wins, {found.get('losses')} losses,"
                f" p {_p(found.get('p'))}",
            )
        )
    return lines


def trained(facts: Facts) -> list[tuple[str, str]]:
    """How it was trained, for a reader."""
    wanted = (
        *("lora_r", "lora_alpha", "lora_targets", "projector", "freeze_vision", "learning_rate"),
        *("projector_learning_rate", "num_train_epochs", "per_device_train_batch_size"),
        *("gradient_accumulation_steps", "seed", "train_examples", "parent"),
    )
    lines = [(name, _listed(facts.trained[name])) for name in wanted if name in facts.trained]
    evidence = block(facts.trained, "evidence")
    lines += [(name, str(value)) for name, value in evidence.items() if type(value) is int]
    before, after = evidence.get("frozen_digests_before"), evidence.get("frozen_digests_after")
    if isinstance(before, dict):
        for part in sorted(before):
            same = "unchanged" if before == after else "CHANGED"
            lines.append((f"frozen {part}", f"{same}: {before[part]}"))
    return lines


def plan(facts: Facts) -> list[tuple[str, str, str, str]]:
    """What was planned against what was measured: what, planned, measured, their ratio."""
    planned, environment = block(facts.environment, "planned"), facts.environment
    steps = block(facts.trained, "during").get("steps_trained")
    if steps is None:
        steps = block(facts.trained, "evidence").get("optimizer_steps")
    seconds = number(environment.get("training_seconds"))
    a_step = number(block(environment, "seconds_a_step").get("median"))
    if a_step is None and seconds is not None and type(steps) is int and steps:
        # An earlier kolm did not time steps: loading is in it.
        a_step = seconds / steps
    found = []
    for words, one, other, unit, size in (
        ("live tensors at their peak", "live_bytes", environment.get("peak_bytes"), "GB", 1e9),
        ("memory on the GPU", "needed_bytes", environment.get("reserved_bytes"), "GB", 1e9),
        ("seconds a step", "seconds_a_step", a_step, "s", 1),
    ):
        before, after = number(planned.get(one)), number(other)
        if before is None and after is None:
            continue
        cells = ["-" if v is None else f"{v / size:.3g} {unit}" for v in (before, after)]
        ratio = f"{after / before:.2f}" if before and after is not None else "-"
        found.append((words, cells[0], cells[1], ratio))
    return found


def unplanned(facts: Facts) -> str:
    """Why something of the plan is not there; empty when all of it is."""
    if block(facts.environment, "planned"):
        return ""
    if facts.environment.get("accelerator") == "cpu":
        return (
            "It was trained on a CPU, where kolm plans nothing before a compile and measures no"
            " memory; kolm plan counts a step for any GPU."
        )
    return "The receipt has no plan: it was left out (--no-plan), or an earlier kolm compiled it."


def servers(facts: Facts) -> list[tuple[str, list[tuple[str, str]]]]:
    """What was found of each server that was asked the evaluation."""
    found = []
    for said, key, trusted in facts.parity:
        here, there = said.accuracy
        checks = {True: "holds", None: "not compared"}
        lines = [
            (
                "Answers alike",
                f"{said.equal} of {said.rows} ({said.equal / said.rows:.4f};"
                f" asked for {said.asked_for:g})",
            ),
            ("Accuracy there", f"{there:.4f} ({there - here:+.4f} against the bundle's)"),
            ("Checks", "; ".join(f"{name} {checks[held]}" for name, held in said.checks.items())),
            ("Model asked for", said.model),
            ("Measured", f"{said.measured}, by kolm {said.kolm}"),
            ("Signed by", f"{key}, {'trusted' if trusted else 'NOT trusted'} here"),
        ]
        if said.export is not None:
            lines.insert(4, ("Export", f"{said.export[0]} sha256:{said.export[1]}"))
        found.append((said.program, lines))
    return found


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
