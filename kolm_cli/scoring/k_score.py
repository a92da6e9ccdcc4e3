"""The K-score `k-score-1`: one number for how right, small, quick, cheap and complete."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

SPEC = "k-score-1"
# A weight is never changed: another set of weights is another spec, with another name.
WEIGHTS = {"A": 0.40, "S": 0.15, "L": 0.15, "C": 0.15, "V": 0.15}
PLACES = 4


@dataclass(frozen=True)
class KScore:
    """A K-score with what it was made of.

    Attributes:
        k: the weighted sum, rounded to 4 places; None when an axis was not measured.
        axes: A accuracy, S size, L latency, C cost, V coverage, each in [0, 1] and rounded to 4
            places, None when it was not measured. K is summed before they are rounded.
        spec: the name of the formula.
    """

    k: float | None
    axes: dict[str, float | None]
    spec: str = SPEC

    @property
    def unmeasured(self) -> tuple[str, ...]:
        """The axes that leave K undefined."""
        return tuple(name for name, value in self.axes.items() if value is None)


def k_score(
    *,
    accuracy: float | None,
    bytes_total: int | None,
    latency_microseconds: float | None,
    usd_per_call: float | None,
    coverage: float | None,
) -> KScore:
    """The score of a result. An axis that was not measured is None, and makes K undefined.

    Args:
        accuracy: mean of the metric on the evaluation pack, in [0, 1].
        bytes_total: the sum of the file sizes in `manifest.json`.
        latency_microseconds: median time of one answer.
        usd_per_call: price of one answer in US dollars.
        coverage: share of the evaluation rows that got a scored answer, in [0, 1].

    Raises:
        ValueError: a measurement is negative, not finite, or a share beyond 1.
    """
    axes = {
        "A": _axis("accuracy", accuracy, float, most=1.0),
        "S": _axis("bytes_total", bytes_total, _size),
        "L": _axis("latency_microseconds", latency_microseconds, _latency),
        "C": _axis("usd_per_call", usd_per_call, _cost),
        "V": _axis("coverage", coverage, float, most=1.0),
    }
    measured = [WEIGHTS[name] * value for name, value in axes.items() if value is not None]
    whole = len(measured) == len(axes)
    return KScore(
        k=round(math.fsum(measured), PLACES) if whole else None,
        axes={n: None if v is None else round(v, PLACES) for n, v in axes.items()},
    )


def _axis(
    name: str, value: float | None, formula: Callable[[float], float], most: float = math.inf
) -> float | None:
    if value is None:
        return None
    if not (math.isfinite(value) and 0 <= value <= most):
        raise ValueError(f"{name} is {value}, which cannot have been measured")
    return formula(value)


def _size(size: float) -> float:
    """1 up to 1 KiB, a thirtieth less with every doubling, 0 from 1 TiB."""
    return min(1.0, max(0.0, 1.0 - math.log2(max(1.0, size / 1024)) / 30))


def _latency(microseconds: float) -> float:
    """One half at a tenth of a second."""
    return 1.0 / (1.0 + microseconds / 100_000)


def _cost(dollars: float) -> float:
    """One half at a tenth of a cent."""
    return 1.0 / (1.0 + 1000.0 * dollars)
