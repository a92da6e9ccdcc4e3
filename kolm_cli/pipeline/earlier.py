"""The earlier bundle that a gate compares with, found by the name that the spec gives it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.home import private_folder
from kolm_cli.registry.index import StoredBundle, find, named
from kolm_cli.registry.names import Pinned
from kolm_cli.registry.pull import deliver
from kolm_cli.registry.scores import read_scores
from kolm_cli.registry.store import Registry

if TYPE_CHECKING:
    from kolm_cli.spec.load import LoadedSpec


@dataclass(frozen=True)
class Earlier:
    """An earlier bundle, as it was when the compile began: a tag may move meanwhile.

    Attributes:
        against: what the spec calls it.
        cid: its CID; None when there is none yet.
        image: its name and digest in the local registry; None likewise.
    """

    against: str
    cid: str | None = None
    image: Pinned | None = None

    def holds(self, report: Mapping[str, Any]) -> bool:
        """Whether a result that was judged before would be judged alike now."""
        previous = report["compared"].get("previous") or {}
        return self.cid == previous.get("cid") or self.cid == report["cid"]

    @contextlib.contextmanager
    def file(self) -> Iterator[Path]:
        """The bundle as a file, for as long as the block lasts."""
        if self.image is None:
            raise AssertionError("there is no earlier bundle")
        with TemporaryDirectory(prefix="kolm-", dir=private_folder("tmp")) as folder:
            copy = Path(folder) / "earlier.kolm"
            deliver(Registry(), self.image, copy)
            yield copy


def find_earlier(loaded: LoadedSpec) -> Earlier | None:
    """The bundle that the gate compares with; None when it asks for no comparison.

    Raises:
        InputError: there is no such bundle, and it is not the first of the spec's own name.
        VerificationError: the registry is damaged.
    """
    asked = loaded.spec.evaluate.gate.no_regression
    if asked is None:
        return None
    try:
        index = Registry().index()
        entry = find(index, named(index, asked.against))
    except InputError as error:
        name = loaded.spec.name
        where = loaded.position("evaluate.gate.no_regression")
        if asked.against in (name, f"{name}:latest", f"{name}:live"):
            lost = _lost(name, asked.against)
            if lost is None:
                return Earlier(asked.against)  # the first compile has nothing to be worse than
            raise InputError(
                Problem(
                    f"there is no {asked.against}, but bundles of this name met their gate: was the"
                    " tag removed?",
                    f"{where}: evaluate.gate.no_regression.against",
                    f"kolm tag {lost.cid} {asked.against} gives it to the last of them; or leave"
                    " no_regression out once",
                )
            ) from error
        raise InputError(
            Problem(
                f"{asked.against}: {error.problems[0].what}",
                f"{where}: evaluate.gate.no_regression.against",
                "kolm ls lists what is stored",
            )
        ) from error
    return Earlier(asked.against, entry.cid, Pinned(entry.name, entry.digest))


def _lost(name: str, against: str) -> StoredBundle | None:
    """A bundle that the missing tag must have meant before; None when it may never have been.

    Each compile that meets its gate becomes `latest`, and a loop keeps its promotions under tags of
    their own.
    """
    registry = Registry()
    entries = [entry for entry in registry.index().entries if entry.name == name]
    if against.endswith(":live"):
        entries = [e for e in entries if re.fullmatch(re.escape(against) + r"-\d+", e.tag)]
    for entry in sorted(entries, key=lambda e: e.stored, reverse=True):
        if read_scores(registry, entry).gate_passed:
            return entry
    return None
