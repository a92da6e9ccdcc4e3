"""Moving a loop's tag forward and back, so that a kill between two steps loses neither bundle."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.loop.journal import Hook, Journal, Move
from kolm_cli.registry.names import ContentId, Pinned, Tag
from kolm_cli.registry.store import Registry


def line(moves: Sequence[Move]) -> list[Move]:
    """The promotions that count: the last is in use, those before it are the way back."""
    found: list[Move] = []
    for move in moves:
        if not move.done:
            continue
        if move.kind == "promote":
            found.append(move)
        elif found:
            found.pop()
    return found


def taken_back(moves: Sequence[Move]) -> set[str]:
    """The CIDs that somebody rolled back from, and that were not promoted since."""
    found: set[str] = set()
    current: list[Move] = []
    for move in moves:
        if not move.done:
            continue
        if move.kind == "promote":
            current.append(move)
            found.discard(move.cid)
        elif current:
            found.add(current.pop().cid)
    return found


def plan_promotion(journal: Journal, turn: int, cid: str) -> Move:
    """Write down that a turn's bundle is to be used."""
    return journal.plan(turn, "promote", cid, Registry().resolve(ContentId(cid)).digest)


def plan_rollback(journal: Journal, name: str) -> Move:
    """Write down that the bundle before the one in use is to be used again.

    Raises:
        InputError: there is none.
    """
    promoted = line(journal.moves())
    if len(promoted) < 2:
        what = "nothing was promoted" if not promoted else "there is no earlier promotion"
        raise InputError(
            Problem(what, name, "kolm tag CID NAME:TAG moves a tag to any bundle that is stored")
        )
    return journal.plan(None, "rollback", promoted[-2].cid, promoted[-2].digest)


def carry_out(
    journal: Journal, move: Move, tag: Tag, *, keep: int, why: str, hooks: Sequence[Hook]
) -> None:
    """Move the tag as planned. Doing it twice does no harm: a killed one is done again.

    Args:
        journal: has the plan.
        move: the plan.
        tag: the loop's tag.
        keep: how many promotions stay in the registry to go back to.
        why: what the turn's record says.
        hooks: the calls that are owed once the tag was moved.

    Raises:
        InputError: the bundle is not in the registry any more.
    """
    registry = Registry()
    entry = registry.resolve(ContentId(move.cid))
    image = Pinned(entry.name, move.digest)
    if move.kind == "promote":
        # A tag of its own, so that `kolm gc --untagged` leaves the way back.
        registry.tag(image, _history(tag, move))
    registry.tag(image, tag)
    journal.moved(move, why, hooks)
    promotions = [m for m in journal.moves() if m.kind == "promote" and m.done]
    kept = {m.id for m in (*promotions[-keep:], *line(journal.moves())[-keep:])}
    for old in promotions:
        if old.id not in kept:
            with contextlib.suppress(InputError):
                registry.remove(_history(tag, old))


def _history(tag: Tag, move: Move) -> Tag:
    return Tag(tag.name, f"{tag.tag}-{move.id}")
