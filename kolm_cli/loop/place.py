"""Where a loop keeps its journal and its lock, and what it is asked to do."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kolm_cli.core.errors import InputError, LackingError, Problem
from kolm_cli.core.home import home_path, private_folder
from kolm_cli.core.names import is_name, likely_fix
from kolm_cli.loop.journal import Journal


@dataclass(frozen=True)
class Wishes:
    """What a loop is asked to do beside its spec.

    Attributes:
        tag: the tag that is promoted: `live` of `NAME:live`.
        keep: how many promotions stay in the registry to go back to.
        on_promote: commands to run when the tag was moved.
        on_keep: commands to run when it was not: the gate, or a failure.
        webhooks: addresses that are told either.
        before_promote: commands that have to agree before the tag is moved.
    """

    tag: str = "live"
    keep: int = 5
    on_promote: tuple[str, ...] = ()
    on_keep: tuple[str, ...] = ()
    webhooks: tuple[str, ...] = ()
    before_promote: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """The files of a loop, by its spec's name."""

    folder: Path

    @classmethod
    def of(cls, name: str) -> Place:
        """The loop of a spec with this name; its folder is made."""
        return cls(private_folder("loops", name))

    @classmethod
    def existing(cls, name: str) -> Place:
        """The loop with this name.

        Raises:
            InputError: there is none.
        """
        place = cls(home_path() / "loops" / name)
        if not is_name(name) or not place._journal.is_file():
            known = list(all_loops())
            fix = likely_fix(name, known, "" if known else "`kolm loop SPEC --once` starts one")
            raise InputError(Problem("there is no such loop", name, fix))
        return place

    @property
    def _journal(self) -> Path:
        return self.folder / "journal.sqlite"

    @contextlib.contextmanager
    def journal(self) -> Iterator[Journal]:
        """The journal, open."""
        journal = Journal(self._journal)
        self._journal.chmod(0o600)
        try:
            yield journal
        finally:
            journal.close()

    @contextlib.contextmanager
    def turn_lock(self) -> Iterator[None]:
        """One turn at a time.

        Raises:
            LackingError: another process is at it.
        """
        with self._lock("turn", wait=False):
            yield

    @contextlib.contextmanager
    def move_lock(self) -> Iterator[None]:
        """One move of the tag at a time; it is short, and a turn that trains does not hold it."""
        with self._lock("move", wait=True):
            yield

    @contextlib.contextmanager
    def _lock(self, name: str, *, wait: bool) -> Iterator[None]:
        # The system releases it when the process ends, however it ends.
        with (self.folder / f"{name}.lock").open("a") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError as error:
                raise LackingError(
                    Problem("another turn of this loop is running", self.folder.name),
                    hint=f"kolm loop status {self.folder.name}",
                ) from error
            yield

    @property
    def at_work(self) -> bool:
        """Whether a turn is running now."""
        try:
            with self.turn_lock():
                return False
        except LackingError:
            return True


def all_loops() -> list[str]:
    """The names of the loops of this home."""
    folder = home_path() / "loops"
    return sorted(path.parent.name for path in folder.glob("*/journal.sqlite"))
