"""The gate: what a result must reach. K and accuracy are judged separately."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gate:
    """The least values that pass; None asks for nothing."""

    k: float | None = None
    accuracy: float | None = None

    def as_json(self) -> dict[str, float]:
        """What is asked for, by name."""
        asked = {"k": self.k, "accuracy": self.accuracy}
        return {name: least for name, least in asked.items() if least is not None}


NO_GATE = Gate()


@dataclass(frozen=True)
class GateResult:
    """Whether a result passed.

    Attributes:
        passed: everything that was asked for was reached.
        failed: a sentence for each thing that was not.
    """

    passed: bool
    failed: list[str]


def judge(gate: Gate, k: float | None, accuracy: float | None) -> GateResult:
    """Hold a result against a gate. A value that is undefined fails every gate on it.

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
