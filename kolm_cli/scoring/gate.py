"""The gate: what a result must reach. K and accuracy are judged separately."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Gate(Protocol):
    """What is asked for; None asks for nothing. The spec's `evaluate.gate` is one."""

    @property
    def k(self) -> float | None:
        """The least K-score."""

    @property
    def accuracy(self) -> float | None:
        """The least accuracy."""


@dataclass(frozen=True)
class GateResult:
    """Whether a result passed.

    Attributes:
        passed: nothing that was asked for is missing.
        failed: a sentence for each thing that was.
    """

    passed: bool
    failed: list[str]


def judge(gate: Gate, k: float | None, accuracy: float | None) -> GateResult:
    """Hold a result against a gate. What is undefined fails whatever gate stands on it.

    Args:
        gate: the least values that pass.
        k: the K-score, None when it is undefined.
        accuracy: the mean of the metric, unrounded; None when it was not measured.
    """
    failed = []
    for name, least, value in (("k", gate.k, k), ("accuracy", gate.accuracy, accuracy)):
        if least is None:
            continue
        if value is None:
            failed.append(f"{name} is undefined, the gate asks for {least}")
        elif not value >= least:  # so written, a NaN fails
            failed.append(f"{name} {value:.4f} is below the gate's {least}")
    return GateResult(passed=not failed, failed=failed)
