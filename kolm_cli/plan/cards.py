"""Graphics cards: what their makers' sheets say, and what of it is assumed to be reached."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.names import likely

MIB = 1 << 20


@dataclass(frozen=True)
class Assumed:
    """What is assumed, because nobody of us could measure it; each plan shows it.

    Attributes:
        math: the share of a card's operations that large products reach.
        bandwidth: the share of its bandwidth that kernels reach.
        launch_seconds: what the host needs for one kernel, autograd and modules included.
        wait_seconds: what one wait of the host costs.
        context: bytes of the CUDA context with the kernels that are loaded.
        slack: the share by which the allocator's blocks exceed the live tensors.
        times: measured seconds for each counted one; 1 where nothing was measured.
        sources: where each number is from.
    """

    math: float = 0.6
    bandwidth: float = 0.8
    launch_seconds: float = 10e-6
    wait_seconds: float = 30e-6
    context: int = 1_343 * MIB
    slack: float = 0.05
    times: float = 1.0
    sources: tuple[str, ...] = (
        "context: Hugging Face, Anatomy of a model's operations and memory: 1,343 MB with nothing"
        " but a small tensor on the GPU",
        "slack, shares of a sheet, launch and wait: assumed, not measured; `make test-gpu` prints"
        " a GPU's own",
    )


ASSUMED = Assumed()


@dataclass(frozen=True)
class Card:
    """A graphics card.

    Attributes:
        name: what the command line calls it.
        title: its full name.
        memory: bytes, as `nvidia-smi` lists them.
        bf16: operations a second of its matrix units in bf16, dense; 0 when it has none.
        fp32: operations a second in fp32, without TF32, which kolm turns off.
        bandwidth: bytes a second of its memory.
        source: the sheet that operations and bandwidth are from.
        given: what of the sheet is reached, and what a process takes besides.
    """

    name: str
    title: str
    memory: int
    bf16: float
    fp32: float
    bandwidth: float
    source: str
    given: Assumed = field(default_factory=lambda: ASSUMED)


# By name, what `make test-gpu` printed on a card, a line each; none was sent yet.
MEASURED: dict[str, Assumed] = {}


def _with_measured(card: Card) -> Card:
    return replace(card, given=MEASURED.get(card.name, ASSUMED))


CARDS = {
    card.name: _with_measured(card)
    for card in (
        Card("a100-80gb", "NVIDIA A100 80GB SXM", 81_920 * MIB, 312e12, 19.5e12, 2.039e12,
             "NVIDIA A100 Tensor Core GPU datasheet, 2021"),
        Card("a100-40gb", "NVIDIA A100 40GB SXM", 40_960 * MIB, 312e12, 19.5e12, 1.555e12,
             "NVIDIA A100 Tensor Core GPU datasheet, 2020"),
        Card("h100", "NVIDIA H100 80GB SXM", 81_559 * MIB, 989.4e12, 67e12, 3.35e12,
             "NVIDIA H100 Tensor Core GPU datasheet, 2023; without sparsity"),
        Card("h200", "NVIDIA H200 SXM", 143_771 * MIB, 989.4e12, 67e12, 4.8e12,
             "NVIDIA H200 Tensor Core GPU datasheet, 2023; without sparsity"),
        Card("l40s", "NVIDIA L40S", 46_068 * MIB, 362.05e12, 91.6e12, 0.864e12,
             "NVIDIA L40S datasheet, 2023; without sparsity"),
        Card("l4", "NVIDIA L4", 23_034 * MIB, 121e12, 30.3e12, 0.3e12,
             "NVIDIA L4 datasheet, 2023; half of what it states with sparsity"),
        Card("a10", "NVIDIA A10", 23_028 * MIB, 125e12, 31.2e12, 0.6e12,
             "NVIDIA A10 datasheet, 2021; without sparsity"),
        Card("rtx4090", "NVIDIA GeForce RTX 4090", 24_564 * MIB, 165.2e12, 82.6e12, 1.008e12,
             "NVIDIA Ada GPU architecture whitepaper, appendix A; fp32 accumulation"),
        Card("rtx3090", "NVIDIA GeForce RTX 3090", 24_576 * MIB, 71e12, 35.6e12, 0.936e12,
             "NVIDIA Ampere GA102 whitepaper, appendix A; fp32 accumulation"),
        Card("t4", "NVIDIA T4", 15_360 * MIB, 0.0, 8.1e12, 0.32e12,
             "NVIDIA T4 datasheet, 2018"),
    )
}  # fmt: skip


def as_line(name: str, given: Assumed) -> str:
    """A line of `MEASURED`."""
    return f"    {name!r}: {given!r},"


# What a name may have more or less of, with nothing else meant by it.
_WORDS = re.compile(r"nvidia|geforce|tesla|rtx|gpu|sxm[0-9]?|[^a-z0-9]")


def named(text: str, where: str = "--device") -> Card:
    """The card that somebody means: `a100-80gb`, `A100 80GB`, `4090`, `NVIDIA H100 80GB SXM`.

    Raises:
        InputError: none, or several.
    """
    plain = _WORDS.sub("", text.lower())
    found = [c for c in CARDS.values() if plain in (_plain(c.name), _plain(c.title))]
    if len(found) == 1:
        return found[0]
    begun = [name for name in CARDS if plain and name.startswith(f"{plain}-")]
    if begun:
        raise InputError(
            Problem(f"{text!r:.40} is several cards", where, f"write {' or '.join(begun)}")
        )
    near = likely(text, list(CARDS))
    meant = f"did you mean {near}? " if near else ""
    raise InputError(
        Problem(f"no card is called {text!r:.40}", where, f"{meant}one of {', '.join(CARDS)}, here")
    )


def _plain(text: str) -> str:
    return _WORDS.sub("", text.lower())
