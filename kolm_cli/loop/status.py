"""How the loops of this home stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kolm_cli.core.errors import InputError
from kolm_cli.loop.journal import Turn
from kolm_cli.loop.place import Place
from kolm_cli.loop.promotion import line
from kolm_cli.registry.names import Tag
from kolm_cli.registry.store import Registry


@dataclass(frozen=True)
class Status:
    """How one loop stands.

    Attributes:
        name: the loop's.
        spec: the spec file of its last turn.
        tag: `NAME:TAG`.
        looked: when it last looked for new data.
        running: whether a turn is running now.
        in_use: the CID that it promoted last; empty when it promoted none.
        since: when it did.
        tag_means: the CID that the tag has now; empty when there is no such tag.
        turns: its last turns, newest first.
        owed: hooks that are to be tried again.
    """

    name: str
    spec: str
    tag: str
    looked: str
    running: bool
    in_use: str
    since: str
    tag_means: str
    turns: list[Turn]
    owed: list[str]

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {**vars(self), "turns": [vars(turn) for turn in self.turns]}


def status_of(name: str, *, turns: int = 10) -> Status:
    """How a loop stands.

    Raises:
        InputError: there is no such loop.
    """
    place = Place.existing(name)
    running = place.at_work
    with place.journal() as journal:
        settings = journal.settings()
        promoted = line(journal.moves())
        tag = Tag(name, settings.get("tag", "live"))
        return Status(
            name,
            settings.get("spec", ""),
            str(tag),
            settings.get("looked", ""),
            running,
            promoted[-1].cid if promoted else "",
            promoted[-1].at if promoted else "",
            _meaning(tag),
            journal.turns(turns),
            [f"{hook.target}: {hook.said or 'not tried yet'}" for hook in journal.owed()],
        )


def _meaning(tag: Tag) -> str:
    try:
        return Registry().resolve(tag).cid
    except InputError:
        return ""
