"""What was counted: work by part, and what the memory's peak is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

# How many kernels there are of each (floating-point operations, bytes read and written).
Sizes = Counter[tuple[int, int]]


@dataclass
class Work:
    """Work of a device.

    Attributes:
        kernels: operations that launch a kernel.
        read: bytes read.
        written: bytes written.
        flops: floating-point operations of matrix products, convolutions and attention.
        waits: times that the host waits for a value of the device.
        copies: tensors copied from the host to the device.
    """

    kernels: int = 0
    read: int = 0
    written: int = 0
    flops: int = 0
    waits: int = 0
    copies: int = 0

    def add(self, other: Work, times: int = 1) -> None:
        """Add `other`, so many times."""
        self.kernels += times * other.kernels
        self.read += times * other.read
        self.written += times * other.written
        self.flops += times * other.flops
        self.waits += times * other.waits
        self.copies += times * other.copies

    def less(self, other: Work) -> Work:
        """The difference."""
        mine, theirs = asdict(self), asdict(other)
        return Work(**{name: mine[name] - theirs[name] for name in mine})


@dataclass
class WorkByPart:
    """Work of a device, by the part of the model or of the step that it is for."""

    parts: dict[str, Work] = field(default_factory=dict)

    def of(self, part: str) -> Work:
        """The part's own work, to add to."""
        return self.parts.setdefault(part, Work())

    @property
    def total(self) -> Work:
        """The sum over all parts."""
        total = Work()
        for work in self.parts.values():
            total.add(work)
        return total

    def plus(self, other: WorkByPart, times: int = 1) -> WorkByPart:
        """The sum of both, `other` taken so many times."""
        result = WorkByPart()
        for source, factor in ((self, 1), (other, times)):
            for part, work in source.parts.items():
                result.of(part).add(work, factor)
        return result

    def less(self, other: WorkByPart) -> WorkByPart:
        """The difference, by part; parts without any are left out."""
        found = {
            part: work.less(other.parts.get(part, Work())) for part, work in self.parts.items()
        }
        return WorkByPart({part: work for part, work in found.items() if work != Work()})

    def copy(self) -> WorkByPart:
        """A copy that stays as it is."""
        return self.plus(WorkByPart())

    def as_json(self) -> dict[str, Any]:
        """The total, and the kernels, bytes and operations of each part."""
        return {
            **asdict(self.total),
            "parts": {part: asdict(work) for part, work in sorted(self.parts.items())},
        }


@dataclass(frozen=True)
class Peak:
    """The most memory that live tensors take at one time.

    Attributes:
        bytes: their size.
        made_of: its parts: `base.language`, `adapters`, `gradients`, `activations`, ….
    """

    bytes: int = 0
    made_of: Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The peak and its parts, the largest first."""
        parts = sorted(self.made_of.items(), key=lambda item: -item[1])
        return {"bytes": self.bytes, "made_of": {name: size for name, size in parts if size}}


@dataclass(frozen=True)
class StepCounts:
    """One optimizer step, counted.

    Attributes:
        micro_batch: a micro-batch that adds to gradients that are there already, or the only one.
        optimizer: clipping and the optimizer's step.
        step: the whole step.
        peak: of the second step, when the optimizer's state is there.
        resident: what lives between two steps.
        micro_batches: in a step.
        sizes: of the kernels of a micro-batch.
        optimizer_sizes: of those of the optimizer's step.
    """

    micro_batch: WorkByPart
    optimizer: WorkByPart
    step: WorkByPart
    peak: Peak
    resident: Peak
    micro_batches: int
    sizes: Sizes
    optimizer_sizes: Sizes

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON."""
        return {
            "micro_batch": self.micro_batch.as_json(),
            "optimizer": self.optimizer.as_json(),
            "step": self.step.as_json(),
            "peak": self.peak.as_json(),
            "resident": self.resident.as_json(),
            "micro_batches": self.micro_batches,
        }
