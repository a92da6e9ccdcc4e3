"""The section `evaluate.during`: what is evaluated while training, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from kolm_cli.scoring.course import MOST_EVALUATIONS, MOST_ROWS, Rule, normal_every
from kolm_cli.spec.section import Conflict, Section, custom_error


def _every(value: Any) -> Any:
    fix = "write a number with its unit: 0.25 epochs, or 50 steps"
    if not isinstance(value, str):
        raise custom_error(f"{value!r:.60} has no unit", fix)
    try:
        return normal_every(value)
    except ValueError as error:
        raise custom_error(str(error), fix) from error


class EarlyStoppingSection(Section):
    """When a training ends that no longer gets better."""

    patience: Annotated[int, Field(ge=1, le=MOST_EVALUATIONS)]
    min_delta: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0


class DuringSection(Section):
    """Rows of the pack that are asked while training.

    Where they choose the weights (`keep: best`, `early_stopping`), the score is that of the others.
    """

    every: Annotated[str, BeforeValidator(_every)]
    rows: Annotated[int, Field(ge=1, le=MOST_ROWS)]
    metric: Literal["accuracy", "loss"] = "accuracy"
    keep: Literal["last", "best"] = "last"
    early_stopping: EarlyStoppingSection | None = None

    @property
    def rule(self) -> Rule:
        """What decides when training ends, and what is kept."""
        stopping = self.early_stopping
        return Rule(
            self.keep,
            self.metric,
            None if stopping is None else stopping.patience,
            0.0 if stopping is None else stopping.min_delta,
        )

    def idle(self) -> Iterator[Conflict]:
        """A measure of what nobody judges."""
        if not self.rule.chooses:
            yield Conflict(
                "metric",
                "keep",
                "has no effect: nothing is chosen by it",
                "remove it, or write keep: best or early_stopping",
            )
