"""Before a compile uses a GPU: whether its largest step fits, and what would make it fit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kolm_cli.core.errors import LackingError, Problem
from kolm_cli.core.files import write_atomic
from kolm_cli.core.progress import Progress

if TYPE_CHECKING:
    from kolm_cli.pipeline.inputs import Inputs
    from kolm_cli.pipeline.preflight import Preflight
    from kolm_cli.plan.cards import Card

PLAN = "plan.json"


def plan_first(
    inputs: Inputs, checked: Preflight, card: Card, progress: Progress
) -> dict[str, Any]:
    """Count the largest step, and refuse what cannot fit.

    Returns:
        what the receipt says of it: bytes and seconds a step.

    Raises:
        LackingError: the card has too little memory; with the changes that would make it fit.
    """
    from kolm_cli.pipeline.plan_report import smallest_card
    from kolm_cli.plan.advice import changes
    from kolm_cli.plan.fit import fit, step_seconds
    from kolm_cli.plan.planned import Planned

    train = inputs.spec.train
    progress.stage("plan")
    planned = Planned(inputs.base.config, inputs.base.family, checked.encoder)
    by_id = {row.id: row for row in checked.train.rows}
    order = [fact.id for fact in sorted(checked.facts, key=lambda fact: -fact.tokens)]
    largest = [by_id[order[i % len(order)]] for i in range(train.per_device_train_batch_size)]
    counts = planned.step(train, largest)
    judged = fit(counts.peak.bytes, card)
    if not judged.fits:
        progress.stage("look for what would fit")
        larger = smallest_card(counts.peak.bytes, bf16=train.bf16) or "none is known"
        found = [
            change.write
            for change in changes(planned, train, largest)
            if fit(change.counts.peak.bytes, card).fits
        ]
        raise LackingError(
            Problem(
                f"the largest step needs {judged.needed / 1e9:.1f} GB, and {card.title} has"
                f" {judged.memory / 1e9:.1f} GB",
                where="launch.device",
                fix=f"write {found[0]}" if found else f"take a larger card: {larger}",
            ),
            hint=_hint(found[1:]),
        )
    facts: dict[str, Any] = {"live_bytes": counts.peak.bytes, "needed_bytes": judged.needed}
    if card.source:
        # What a run takes is a middling step's: that is what it is held against afterwards.
        middle = [by_id[order[(len(order) // 2 + i) % len(order)]] for i in range(len(largest))]
        second = step_seconds(planned.step(train, middle), card, bf16=train.bf16)
        facts["seconds_a_step"] = round(second, 3)
    return facts


def _hint(others: Sequence[str]) -> str:
    """What else would fit, and where to look."""
    also = f"so would {', or '.join(others)}; " if others else ""
    return f"{also}kolm plan shows what the memory is made of; --no-plan tries all the same"


def keep_plan(run: Path, facts: dict[str, Any]) -> None:
    """Leave what was planned in the run's folder, for the receipt."""
    write_atomic(run / PLAN, json.dumps(facts, indent=1).encode(), mode=0o600)


def kept_plan(run: Path) -> dict[str, Any] | None:
    """What was planned for a run; None where nothing was."""
    path = run / PLAN
    if not path.is_file():
        return None
    facts: dict[str, Any] = json.loads(path.read_bytes())
    return facts
