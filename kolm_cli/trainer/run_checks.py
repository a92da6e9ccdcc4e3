"""Whether a run can learn at all: what its rows and options say together, before it begins."""

from __future__ import annotations

from collections.abc import Sequence

from kolm_cli.core.errors import Problem
from kolm_cli.families.base import Family
from kolm_cli.records.row import Row
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.schedule import steps_of


def unlearnable(
    rows: Sequence[Row], config: TrainSection, family: Family, where: str, processes: int = 1
) -> list[Problem]:
    """Why a run of these rows would end without having trained all that it should.

    Args:
        rows: the training rows; none is a problem of its own, which is told elsewhere.
        config: how they are trained.
        family: the base's family.
        where: the place that a problem names.
        processes: how many share the rows.
    """
    problems: list[Problem] = []
    if not rows:
        return problems
    pictured = any(row.conversation.images for row in rows)
    if family.projector and config.projector != "freeze" and not pictured:
        problems.append(
            Problem(
                "no training row has an image, so the projector cannot be trained",
                where=where,
                fix="write projector: freeze, or give rows with images",
            )
        )
    steps = steps_of(len(rows), config, processes)
    if steps < 2:
        problems.append(
            Problem(
                f"{len(rows)} rows make {steps} optimizer step, and LoRA's first matrix"
                " sees its first gradient in the second",
                where=where,
                fix="give more rows or epochs, or lower gradient_accumulation_steps",
            )
        )
    return problems
