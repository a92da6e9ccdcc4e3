"""What a receipt says was planned, beside what was measured: the same quantity on both sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Nothing that is measured here has more seconds or bytes.
_MOST = 1e18


@dataclass(frozen=True)
class Beside:
    """One quantity.

    Attributes:
        name: `seconds_a_step` or `bytes`.
        planned: what was planned; None where nothing was.
        measured: what was measured; None where nothing was.
        low: the least that is not unusual; None where that is not said.
        high: the most.
        steps: how many steps were measured; 0 for what is not about steps.
        why: why there is no measured value.
    """

    name: str
    planned: float | None
    measured: float | None
    low: float | None = None
    high: float | None = None
    steps: int = 0
    why: str = ""

    @property
    def times(self) -> float | None:
        """Measured for each planned one."""
        if not self.planned or self.measured is None:
            return None
        return round(self.measured / self.planned, 3)

    def as_json(self) -> dict[str, Any]:
        """Both sides and their ratio."""
        return {
            "planned": self.planned,
            "measured": self.measured,
            "times": self.times,
            **({"why": self.why} if self.why else {}),
        }

    def __str__(self) -> str:
        """In words: `0.41 s measured (0.40 to 0.45, 198 steps), 0.35 s planned, 1.18 times …`."""
        unit, scale = ("s", 1.0) if self.name == "seconds_a_step" else ("GB", 1e9)
        words = []
        if self.measured is None:
            words.append(self.why or "not measured")
        else:
            spread = ""
            if self.low is not None and self.high is not None:
                spread = f" ({self.low / scale:.3f} to {self.high / scale:.3f}, {self.steps} steps)"
            words.append(f"{self.measured / scale:.3f} {unit} measured{spread}")
        if self.planned is not None:
            words.append(f"{self.planned / scale:.3f} {unit} planned")
        if self.times is not None:
            words.append(f"{self.times:.2f} times the plan")
        return ", ".join(words)


def beside(environment: Mapping[str, Any]) -> list[Beside]:
    """What can be set side by side in a receipt's `environment`, which may hold anything."""
    planned, step = _block(environment, "planned"), _block(environment, "seconds_a_step")
    found = []
    seconds = Beside(
        "seconds_a_step",
        _number(planned.get("seconds_a_step")),
        _number(step.get("median")),
        _number(step.get("low")),
        _number(step.get("high")),
        int(_number(step.get("steps")) or 0),
        why="" if step else "not measured: too few steps",
    )
    if seconds.planned is not None or seconds.measured is not None:
        found.append(seconds)
    cpu = environment.get("accelerator") == "cpu"
    memory = Beside(
        "bytes",
        _number(planned.get("live_bytes")),
        _number(environment.get("peak_bytes")),
        why="not measured on a CPU" if cpu else "not measured",
    )
    if memory.planned is not None or memory.measured is not None or (cpu and seconds.measured):
        found.append(memory)
    return found


def _block(facts: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = facts.get(key)
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float | None:
    """A number that is one; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value < _MOST else None
