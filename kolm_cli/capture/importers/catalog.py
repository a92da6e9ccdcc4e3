"""The formats that `kolm capture import` reads.

A format is where records stand (a container) and how a record spells a conversation (a shape).
To add one: a module in `containers/` or `shapes/`, and a line here.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kolm_cli.capture.importers.references import ImageReader
from kolm_cli.capture.importers.row import RawRow, Shape
from kolm_cli.capture.importers.shapes import rows
from kolm_cli.core.errors import InputError, Problem

# In the order in which a record is offered to them: the most particular first.
SHAPES: tuple[Shape, ...] = (rows.SHAPE,)


@dataclass(frozen=True)
class Container:
    """A kind of file or folder; its module is loaded when a file of the kind is read."""

    name: str
    summary: str
    module: str
    suffixes: tuple[str, ...] = ()

    def read(self, path: Path, images: ImageReader, name: str) -> Iterator[RawRow | Problem]:
        """Every record, or the problem in its place; `name` stands for the path in messages."""
        module = importlib.import_module(f"kolm_cli.capture.importers.containers.{self.module}")
        found: Iterator[RawRow | Problem] = module.read(path, images, name)
        return found


CONTAINERS: tuple[Container, ...] = (
    Container("json", "JSON lines, or a JSON array", "jsontext", (".jsonl", ".ndjson", ".json")),
)


def names() -> tuple[str, ...]:
    """Everything that `--format` takes."""
    return (*(shape.name for shape in SHAPES), *(container.name for container in CONTAINERS))


def container_for(path: Path, format: str | None) -> Container:
    """The container to read `path` with: the one that `format` names, or by what `path` is.

    Raises:
        InputError: nothing reads such a path.
    """
    for container in CONTAINERS:
        if container.name == format:
            return container
    suffix = path.suffix.lower()
    for container in CONTAINERS:
        if suffix in container.suffixes:
            return container
    known = ", ".join(s for c in CONTAINERS for s in c.suffixes)
    raise InputError(
        Problem(
            f"kolm does not know what a {suffix or 'file without a suffix'} holds",
            where=str(path),
            fix=f"use one of {known}, or say --format",
        )
    )


def check_format(format: str | None) -> None:
    """Raise `InputError` unless `format` is None or one of `names()`."""
    if format is not None and format not in names():
        import difflib

        close = difflib.get_close_matches(format, names(), 1)
        raise InputError(
            Problem(
                f"there is no format {format!r}",
                fix=f"did you mean {close[0]!r}?" if close else f"one of {', '.join(names())}",
            )
        )
