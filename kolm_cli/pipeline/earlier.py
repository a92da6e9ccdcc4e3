"""The earlier bundle that a gate compares with, found by the name that the spec gives it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.home import private_folder
from kolm_cli.registry.index import find, named
from kolm_cli.registry.names import Pinned
from kolm_cli.registry.pull import deliver
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
        if asked.against in (name, f"{name}:latest", f"{name}:live"):
            return Earlier(asked.against)  # the first compile has nothing to be worse than
        where = loaded.position("evaluate.gate.no_regression")
        raise InputError(
            Problem(
                f"{asked.against}: {error.problems[0].what}",
                f"{where}: evaluate.gate.no_regression.against",
                "kolm ls lists what is stored",
            )
        ) from error
    return Earlier(asked.against, entry.cid, Pinned(entry.name, entry.digest))
