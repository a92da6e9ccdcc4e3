"""What hooks are told of a turn, and who is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kolm_cli.core.errors import KolmError
from kolm_cli.core.progress import Progress
from kolm_cli.loop import hooks
from kolm_cli.loop.journal import Hook, Journal
from kolm_cli.loop.place import Wishes
from kolm_cli.loop.promotion import line


def event_of(
    name: str, wishes: Wishes, state: str, why: str, result: dict[str, Any], journal: Journal
) -> dict[str, Any]:
    """What hooks are told."""
    before = line(journal.moves())
    return {
        "event": state,
        "name": name,
        "tag": f"{name}:{wishes.tag}",
        "why": why,
        "cid": result.get("cid"),
        "bundle": result.get("bundle"),
        "accuracy": result.get("accuracy"),
        "k": result.get("k"),
        "previous": before[-1].cid if before else None,
    }


def calls(wishes: Wishes, event: dict[str, Any], *, promoted: bool) -> Sequence[Hook]:
    """The calls that are owed."""
    commands = wishes.on_promote if promoted else wishes.on_keep
    return [
        *(hooks.command(text, event) for text in commands),
        *(hooks.webhook(address, event) for address in wishes.webhooks),
    ]


def end_failed(
    journal: Journal,
    turn: int,
    name: str,
    error: KolmError,
    result: dict[str, Any],
    wishes: Wishes,
    progress: Progress,
) -> None:
    """End a turn that came to no verdict, and tell of it."""
    why = "; ".join(str(problem) for problem in error.problems)[:2000]
    event = event_of(name, wishes, "failed", why, result, journal)
    journal.end(turn, "failed", why, calls(wishes, event, promoted=False))
    hooks.make_owed_calls(journal, progress)
