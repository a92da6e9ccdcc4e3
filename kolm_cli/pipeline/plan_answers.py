"""How many answers a job gives, and what they take beside its training."""

from __future__ import annotations

from typing import Any

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.pipeline.plan_inputs import PlannedRows
from kolm_cli.scoring.course import evaluated_steps
from kolm_cli.spec.model import Spec


def answered_batches(spec: Spec, rows: PlannedRows, steps: int) -> int:
    """Batches of answers: the base's, the adapter's, and those while it is trained.

    Args:
        spec: the spec.
        rows: the plan's rows.
        steps: the optimizer steps of the training.

    Raises:
        InputError: so many rows, or so often, cannot be asked while it is trained.
    """
    evaluate, pack = spec.evaluate, rows.asked
    during, asked = evaluate.during, [pack, pack]
    if during is not None:
        if during.rows > pack and rows.assumed is None:
            what, fix = f"the pack has {pack} rows, not {during.rows}", f"write at most {pack}"
            raise InputError(Problem(what, "evaluate.during.rows", fix))
        meanwhile = min(during.rows, pack)  # how large a pack will be is assumed, too
        try:
            at = evaluated_steps(during.every, spec.train.num_train_epochs, steps)
        except ValueError as error:
            what, fix = f"{during.every!r} {error}", "write another distance"
            raise InputError(Problem(what, "evaluate.during.every", fix)) from error
        scored = pack - meanwhile if during.rule.chooses else pack
        asked = [scored, scored, *[meanwhile] * len(at)]
    return sum(-(-count // evaluate.batch_size) for count in asked)


def evaluation(hours: float, batches: int, token: float, longest: int) -> dict[str, Any]:
    """The time of the answers, if each is as long as it may be.

    Args:
        hours: what training takes.
        batches: batches of answers.
        token: seconds for a token of one.
        longest: tokens of the longest answer.
    """
    seconds = batches * longest * token
    return {
        "seconds_a_token": round(token, 6),
        "evaluation_hours": round(seconds / 3600, 6),
        "share_not_training": round(seconds / (seconds + 3600 * hours), 4),
    }
