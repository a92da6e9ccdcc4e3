"""Which rows of a pack are asked while training: the same each time, evenly over the groups."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction

from kolm_cli.core import digests
from kolm_cli.core.errors import Problem
from kolm_cli.dataset.leakage import prompt_of
from kolm_cli.dataset.picture_book import PictureBook
from kolm_cli.records.row import Row

# Rows that show one picture, directly or through others.
Together = list[Row]


def choose(
    pack: Sequence[Row], count: int, *, hold_out: bool, book: PictureBook | None = None
) -> list[Row]:
    """At most `count` rows, in the pack's order.

    Rows that share a picture are all chosen or none is, and so are those with one prompt and no
    picture: what is not chosen then tells something new. Their order is that of their digests, so
    it does not depend on the file's; each group gives the same share.

    Args:
        pack: the rows.
        count: how many are wanted.
        hold_out: the others alone will be scored, so that of each group something is left.
        book: what is known of their images already.
    """
    left = Counter(row.judging.group for row in pack)
    chosen: set[str] = set()
    room = count
    for together in _in_order(pack, book or PictureBook()):
        taken = Counter(row.judging.group for row in together)
        empties = hold_out and any(left[group] == n for group, n in taken.items())
        if len(together) > room or empties:
            continue
        room -= len(together)
        left -= taken
        chosen |= {row.id for row in together}
    return [row for row in pack if row.id in chosen]


def _in_order(pack: Sequence[Row], book: PictureBook) -> list[Together]:
    """What stays together, in an order of which every beginning has the pack's shares of groups."""
    groups: dict[str, list[tuple[str, Together]]] = defaultdict(list)
    for together in _joined(pack, book):
        first = min(together, key=lambda row: row.digest)
        groups[first.judging.group].append((first.digest, together))
    placed = []
    for members in groups.values():
        members.sort(key=lambda member: member[0])
        for place, (digest, together) in enumerate(members):
            # A group of two is asked for a quarter and three quarters of the way.
            placed.append((Fraction(2 * place + 1, 2 * len(members)), digest, together))
    return [together for _, _, together in sorted(placed, key=lambda entry: entry[:2])]


def _joined(pack: Sequence[Row], book: PictureBook) -> list[Together]:
    """The rows, those joined that share something."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    firsts = []
    for row in pack:
        first, *others = _shared(row, book)
        for other in others:
            parent[root(other)] = root(first)
        firsts.append(first)
    joined: dict[str, Together] = defaultdict(list)
    for row, first in zip(pack, firsts, strict=True):
        joined[root(first)].append(row)
    return list(joined.values())


def _shared(row: Row, book: PictureBook) -> list[str]:
    """What no other row may share with it on the other side: its pictures, else its prompt."""
    if not row.images:
        return [digests.sha256_bytes(prompt_of(row).encode())]
    # The same picture in another file is the same picture.
    return [book.pixels_of(sha256, source) for sha256, source in row.images.items()]


def unfit(
    pack: Sequence[Row], count: int, chosen: Sequence[Row], where: str, *, hold_out: bool
) -> Iterator[Problem]:
    """Why these rows cannot be asked while training."""
    if count > len(pack):
        yield Problem(
            f"the pack has {len(pack)} rows, not {count}", where, f"write at most {len(pack)}"
        )
    elif hold_out and count == len(pack):
        yield Problem(
            "no row would be left: those that choose the weights do not score them",
            where,
            f"write less than {len(pack)}",
        )
    elif not chosen:
        yield Problem(
            f"no {count} of the pack's {len(pack)} rows can be asked and others scored: rows that"
            " show one picture stay together, and of each group some are scored",
            where,
            "give a larger pack, or leave keep: best and early_stopping out",
        )
