"""The device of this machine in a plan: what it is, and how it compares with what is counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from kolm_cli.core.errors import LackingError, Problem
from kolm_cli.core.progress import Progress
from kolm_cli.plan.cards import CARDS, Card
from kolm_cli.records.row import Row
from kolm_cli.spec.model import TrainSection

if TYPE_CHECKING:
    from kolm_cli.plan.planned import Planned


def device_here(device: Literal["cuda", "cpu"], *, asked: bool) -> Card | None:
    """What this machine has; None where it has no GPU, and nobody asked for one.

    Raises:
        LackingError: somebody asked for one.
    """
    import torch

    from kolm_cli.plan.card_here import card_here, processor_here

    if device == "cpu":
        return processor_here()
    if torch.cuda.is_available():
        return card_here()
    if asked:
        raise LackingError(
            Problem(
                "there is no GPU here: no CUDA device is available",
                where="--device",
                fix=f"name a card: {', '.join(CARDS)}",
            )
        )
    return None


def calibrated(
    planned: Planned, train: TrainSection, batch: Sequence[Row], here: Card, progress: Progress
) -> tuple[Card, dict[str, Any]]:
    """The card with times as a short real step measures them, and what that step took."""
    from kolm_cli.plan.calibrate import NotCalibratedError, calibrate
    from kolm_cli.plan.card_here import free_memory

    progress.stage("run a short real step")
    try:
        found = calibrate(planned, train, batch, here, free_memory(planned.device))
    except NotCalibratedError as error:
        progress.note(f"not calibrated: {error}")
        return here, {"failed": str(error)}
    return found.applied(here), found.as_json()
