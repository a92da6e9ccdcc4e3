"""What was counted between two marks in a step: work, kernels, and how memory rose and fell."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TypeVar

from kolm_cli.plan.counts import Sizes, WorkByPart
from kolm_cli.plan.follow import Follower

Key = TypeVar("Key")


def less(one: Counter[Key], other: Counter[Key]) -> Counter[Key]:
    """What is left without the other."""
    return plus(one, scaled(other, -1))


def scaled(one: Counter[Key], number: int) -> Counter[Key]:
    """So many times as much."""
    return Counter({key: number * count for key, count in one.items()})


def plus(*several: Counter[Key]) -> Counter[Key]:
    """Their sum, without what is zero; a counter's own `+` drops what is negative as well."""
    found: Counter[Key] = Counter()
    for one in several:
        found.update(one)
    return Counter({key: count for key, count in found.items() if count})


@dataclass(frozen=True)
class Seen:
    """What was counted up to a mark.

    Attributes:
        work: everything that was done.
        sizes: its kernels.
        now: bytes by kind.
        peak: the same when memory was highest since the mark before.
        freed: bytes freed since the mark before, by the stretch of their first use, and kind.
    """

    work: WorkByPart
    sizes: Sizes
    now: Counter[str]
    peak: Counter[str]
    freed: Counter[tuple[int, str]]

    @classmethod
    def by(cls, follower: Follower) -> Seen:
        """As it is now."""
        storages = follower.storages
        now, peak = Counter(storages.now().made_of), Counter(storages.peak.made_of)
        return cls(follower.work.copy(), follower.sizes.copy(), now, peak, storages.freed)


@dataclass(frozen=True)
class Record:
    """What happened in a stretch between two marks.

    Attributes:
        number: the stretch's.
        work: what was done.
        sizes: its kernels.
        added: what is left of it in memory.
        peak: bytes by kind when memory was highest, and by how much that was more than before.
        freed: as in `Seen`.
    """

    number: int
    work: WorkByPart
    sizes: Sizes
    added: Counter[str]
    peak: tuple[Counter[str], Counter[str]]
    freed: Counter[tuple[int, str]]

    @classmethod
    def between(cls, number: int, first: Seen, second: Seen) -> Record:
        """From one mark to the next."""
        return cls(
            number,
            second.work.less(first.work),
            less(second.sizes, first.sizes),
            less(second.now, first.now),
            (second.peak, less(second.peak, first.now)),
            second.freed,
        )

    def same_as(self, other: Record) -> bool:
        """Whether the same was done, with the same rise and fall of memory."""
        return (self.work, self.sizes, self.added, self.peak[1]) == (
            (other.work, other.sizes, other.added, other.peak[1])
        )

    def freed_of(self, other: Record) -> Counter[str]:
        """What was freed in this stretch of what came in another one, by kind."""
        return Counter({kind: n for (born, kind), n in self.freed.items() if born == other.number})
