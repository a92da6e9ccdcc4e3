"""From counted tensors to the memory and the time of a card."""

from __future__ import annotations

from dataclasses import dataclass

from kolm_cli.plan.cards import ASSUMED, Assumed, Card
from kolm_cli.plan.counts import Peak, Sizes, StepCounts, Work

# nf4 with double quantization (QLoRA, arXiv:2305.14314, section 3): 4 bits, a constant of 8 bits
# for each 64 weights, and one of 32 bits for each 256 of those.
_NF4_BITS = 4 + 8 / 64 + 32 / (64 * 256)
# FSDP2 has the layer at work whole, and fetches the next; each is first gathered in one piece and
# then copied into its weights. Measured on two processes: tests/plan/test_sharded.py.
_WHOLE_LAYERS = 4


@dataclass(frozen=True)
class Fit:
    """Whether something fits.

    Attributes:
        needed: bytes of live tensors, the allocator's slack and the CUDA context.
        memory: bytes of the card.
    """

    needed: int
    memory: int

    @property
    def fits(self) -> bool:
        """Whether it does."""
        return self.needed <= self.memory


def needed(live: int, given: Assumed = ASSUMED) -> int:
    """The bytes that a card must have for so many bytes of live tensors."""
    return round(live * (1 + given.slack)) + given.context


def fit(live: int, card: Card) -> Fit:
    """Whether live tensors of that size fit a card."""
    return Fit(needed(live, card.given), card.memory)


@dataclass(frozen=True)
class Weights:
    """What a model's weights are, as far as sharding and quantization change it.

    Attributes:
        linear: bytes of the linear layers of the language tower.
        largest: bytes of the largest of them.
        layer: bytes of the largest decoder layer.
        base: bytes of all weights.
    """

    linear: int
    largest: int
    layer: int
    base: int


def with_nf4(peak: Peak, weights: Weights) -> int:
    """Live bytes if the language tower's linear layers were kept in nf4, two bytes a weight before.

    One layer at a time is unpacked for its product.
    """
    packed = weights.linear / 2 * _NF4_BITS / 8
    return round(peak.bytes - weights.linear + packed + weights.largest)


def sharded(peak: Peak, weights: Weights, ranks: int) -> int:
    """Live bytes a rank under FSDP2: weights, gradients and optimizer state shared out."""
    shared = sum(
        size
        for kind, size in peak.made_of.items()
        if kind.startswith("base.") or kind in ("adapters", "gradients", "optimizer state")
    )
    return round(peak.bytes - shared + shared / ranks + _WHOLE_LAYERS * weights.layer)


@dataclass(frozen=True)
class Seconds:
    """The time of a piece of work on a card.

    Attributes:
        kernels: what the card computes and moves.
        launches: what the host needs to launch all of it, which goes on beside the card's work.
        waits: what the host waits.
    """

    kernels: float
    launches: float
    waits: float

    @property
    def total(self) -> float:
        """The longer of both, and the waits, in which neither goes on."""
        return max(self.kernels, self.launches) + self.waits


def seconds(sizes: Sizes, work: Work, card: Card, *, bf16: bool) -> Seconds:
    """The time of counted work: a kernel takes the longer of its operations and its bytes."""
    peak, given = (card.bf16 if bf16 else card.fp32) or card.fp32, card.given
    math, bandwidth = peak * given.math, card.bandwidth * given.bandwidth
    kernels = sum(n * max(flops / math, moved / bandwidth) for (flops, moved), n in sizes.items())
    return Seconds(
        given.times * kernels,
        given.times * work.kernels * given.launch_seconds,
        given.times * work.waits * given.wait_seconds,
    )


def step_seconds(counts: StepCounts, card: Card, *, bf16: bool) -> float:
    """The time of one optimizer step on a card."""
    micro = seconds(counts.sizes, counts.micro_batch.total, card, bf16=bf16)
    last = seconds(counts.optimizer_sizes, counts.optimizer.total, card, bf16=bf16)
    return counts.micro_batches * micro.total + last.total
