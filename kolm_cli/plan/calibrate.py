"""A short real step on the device that is planned for: how much longer it takes than counted."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from kolm_cli.families.base import Family
from kolm_cli.plan.cards import Card
from kolm_cli.plan.counts import StepCounts
from kolm_cli.plan.fit import fit, step_seconds
from kolm_cli.plan.planned import Planned
from kolm_cli.plan.real_step import RealStep
from kolm_cli.plan.step import CountedStep
from kolm_cli.records.row import Row
from kolm_cli.spec.model import TrainSection
from kolm_cli.trainer.devices import Determinism, settle_numerics
from kolm_cli.trainer.partition import top_modules

# For all steps together, as counted; what a real one needs is not known before.
SECONDS = 10.0
STEPS = 5
# Of the free memory: what else takes memory meanwhile is not ours to know.
_OF_FREE = 0.8
_SPREAD = 0.02


@dataclass(frozen=True)
class Calibration:
    """What a short real step showed.

    Attributes:
        seconds: of each measured step, in order.
        counted: what the plan has for such a step.
        layers: how many decoder layers it had.
        of: how many the model has.
        share: the share of the card's own operations a second that it reached.
    """

    seconds: Sequence[float]
    counted: float
    layers: int
    of: int
    share: float

    @property
    def times(self) -> float:
        """Measured seconds for each counted one."""
        return statistics.median(self.seconds) / self.counted

    def applied(self, card: Card) -> Card:
        """The card with times as they were measured."""
        return replace(card, given=replace(card.given, times=card.given.times * self.times))

    def as_json(self) -> dict[str, Any]:
        """What a plan shows of it."""
        return {
            "seconds": [round(value, 4) for value in self.seconds],
            "counted_seconds": round(self.counted, 4),
            "times": round(self.times, 3),
            "layers": self.layers,
            "of_layers": self.of,
            "share_of_operations": round(self.share, 4),
        }


class NotCalibratedError(Exception):
    """No short step could be run; the message says why."""


def calibrate(
    planned: Planned, train: TrainSection, rows: Sequence[Row], card: Card, free: int
) -> Calibration:
    """Run a short real step: the base with as many layers as there is time and memory for.

    Its weights are random, which no time depends on.

    Args:
        planned: the model.
        train: as the spec has it.
        rows: a micro-batch.
        card: the device here, as it is planned for.
        free: bytes of its memory that are free.

    Raises:
        NotCalibratedError: even the smallest step is too much, or it failed.
    """
    # One micro-batch with its optimizer's step stands for all of them.
    short = train.model_copy(update={"gradient_accumulation_steps": 1})
    batch = planned.encoder.training_batch([planned.encoder.training(row) for row in rows])
    whole = planned.step(short, rows)
    of = len(_decoder(planned.model(short, planned.encoder), planned.family))
    layers, counts = _cut(planned, short, batch, whole, card, free, of)
    settle_numerics()
    try:
        seconds = _steps(planned, short, layers, batch)
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise NotCalibratedError(f"a short step failed: {type(error).__name__}: {error}") from error
    finally:
        gc.collect()
        if planned.device == "cuda":
            torch.cuda.empty_cache()
    counted = step_seconds(counts, card, bf16=short.bf16)
    rate = counts.step.total.flops / statistics.median(seconds)
    peak = (card.bf16 if short.bf16 else card.fp32) or card.fp32
    return Calibration(seconds, counted, layers, of, rate / peak)


def _cut(
    planned: Planned,
    train: TrainSection,
    batch: Any,
    whole: StepCounts,
    card: Card,
    free: int,
    of: int,
) -> tuple[int, StepCounts]:
    """As many layers as there is time and memory for, and a step with them, counted."""
    memory = replace(card, memory=round(free * _OF_FREE))
    # One is run before those that are measured.
    most = SECONDS / (STEPS + 1)
    layers, counts = of, whole
    while True:
        takes = step_seconds(counts, card, bf16=train.bf16)
        if takes <= most and fit(counts.peak.bytes, memory).fits:
            return layers, counts
        if layers == 1:
            raise NotCalibratedError(
                f"with a single layer, a step needs about {takes:.0f} s and"
                f" {fit(counts.peak.bytes, memory).needed / 1e9:.1f} GB here"
            )
        layers = max(1, min(layers // 2, int(layers * most / takes)))
        model = planned.model(train, planned.encoder)
        _keep(_decoder(model, planned.family), layers)
        counts = CountedStep(model, planned.family, train, device=planned.device).count(batch)


def _steps(planned: Planned, train: TrainSection, layers: int, batch: Any) -> list[float]:
    """What steps of a model with so many layers take; its memory is free again afterwards."""
    model = planned.model(train, planned.encoder)
    _keep(_decoder(model, planned.family), layers)
    step = RealStep(_filled(model, planned.device), planned.family, train, device=planned.device)
    del model
    return Determinism(planned.device).run(lambda: list(_measure(step, batch)), lambda _: None)


def _measure(step: RealStep, batch: Any) -> Iterator[float]:
    """Steps after a first one, until they agree, or there is no more time."""
    began = time.perf_counter()
    step.seconds(batch)
    found: list[float] = []
    while len(found) < STEPS and (not found or time.perf_counter() - began < SECONDS):
        found.append(step.seconds(batch))
        yield found[-1]


def _decoder(model: nn.Module, family: Family) -> nn.ModuleList:
    """The layers of the language tower: the longest of its lists."""
    lists = [
        module
        for _, top in top_modules(model, family, "language")
        for module in top.modules()
        if isinstance(module, nn.ModuleList)
    ]
    if not lists:
        raise NotCalibratedError("its language tower has no list of layers")
    return max(lists, key=len)


def _keep(layers: nn.ModuleList, count: int) -> None:
    del layers[count:]


def _filled(model: nn.Module, device: str) -> nn.Module:
    """The model with memory, and numbers that overflow nowhere."""
    made = model.to_empty(device=device)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, _SPREAD)
            else:
                parameter.fill_(1.0)
        for buffer in made.buffers():
            if buffer.is_floating_point():
                buffer.fill_(_SPREAD)
            else:
                buffer.zero_()
    tie: Any = getattr(made, "tie_weights", None)
    if callable(tie):
        tie()
    return made
