"""What was measured of a run, within what else the receipt says of it."""

from __future__ import annotations

from typing import Any

from kolm_cli.bundle.checks.derived import Value
from kolm_cli.bundle.checks.statements import UNSAID, Statements


def no_more_steps(statements: Statements) -> Any:
    """The steps that were timed, as many as there were at most."""
    timed = statements.said("receipt.environment.seconds_a_step.steps")
    done = statements.said("receipt.vlm_train.during.steps_trained")
    if done is UNSAID:
        done = statements.said("receipt.vlm_train.evidence.optimizer_steps")
    if not isinstance(timed, int) or isinstance(timed, bool):
        raise ValueError("no number of steps")
    return max(1, timed if done is UNSAID else min(timed, done))


def step_median(statements: Statements) -> Any:
    """The middle of the timed steps, within what else is said of them."""
    step = statements.said("receipt.environment.seconds_a_step")
    low, median, high, steps = (step[name] for name in ("low", "median", "high", "steps"))
    most = min(median, high)
    whole = statements.said("receipt.environment.training_seconds")
    if whole is not UNSAID:
        # Half of them, rounded up, took as long as the middle one or longer.
        most = min(most, whole / ((steps + 1) // 2))
    return max(low, most, 0)


def at_most(limit: str, name: str = "peak_bytes") -> Value:
    """A number of the environment, where another one there allows it."""

    def value(statements: Statements) -> Any:
        said = statements.said(f"receipt.environment.{name}")
        most = statements.said(f"receipt.environment.{limit}")
        return UNSAID if most is UNSAID else max(0, min(said, most))

    return value
