"""The bundle that a training starts from, found by the name that the spec gives it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from kolm_cli.bundle.container.open_bundle import open_bundle
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.home import private_folder
from kolm_cli.registry.index import find, named
from kolm_cli.registry.names import Pinned
from kolm_cli.registry.pull import deliver
from kolm_cli.registry.store import Registry
from kolm_cli.spec.sources import AdapterSource


@dataclass(frozen=True)
class Parent:
    """An earlier bundle, as it was when the compile began: a tag may move meanwhile.

    Attributes:
        cid: its CID.
        name: what the spec calls it.
        where: the position of that in the spec, for problems with it.
        path: its file; None when it is stored.
        image: its name and digest in the local registry; None when it is a file.
    """

    cid: str
    name: str
    where: str
    path: Path | None = None
    image: Pinned | None = None

    @contextlib.contextmanager
    def file(self) -> Iterator[Path]:
        """The bundle as a file, for as long as the block lasts."""
        if self.image is None:
            if self.path is None:
                raise AssertionError("a parent is a file or stored")
            yield self.path
            return
        with TemporaryDirectory(prefix="kolm-", dir=private_folder("tmp")) as folder:
            copy = Path(folder) / "parent.kolm"
            deliver(Registry(), self.image, copy)
            yield copy


def find_parent(source: AdapterSource | None, where: str) -> Parent | None:
    """The bundle that `base.adapter` names; None when the training starts from the base.

    Args:
        source: what names it; an empty text is the base.
        where: the position of that in the spec.

    Raises:
        InputError: there is no such bundle.
        VerificationError: it, or the registry, is damaged.
    """
    if source is None or not source.text:
        return None
    if source.path is not None:
        with open_bundle(source.path) as bundle:
            return Parent(bundle.cid, source.text, where, path=source.path)
    try:
        index = Registry().index()
        entry = find(index, named(index, source.text))
    except InputError as error:
        problem = error.problems[0]
        raise InputError(
            Problem(
                f"registry:{source.text}: {problem.what}",
                where,
                "leave base.adapter out of the first compile, which then starts from the base",
            )
        ) from error
    return Parent(entry.cid, source.text, where, image=Pinned(entry.name, entry.digest))
