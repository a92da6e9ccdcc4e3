"""The formats that `kolm capture import` reads.

A format is where records stand (a container) and how a record spells a conversation (a shape).
To add one: a module in `containers/` or `shapes/`, and a line here.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.formats.fields import RawRow, Shape
from kolm_cli.formats.image_references import ImageReader
from kolm_cli.formats.shapes import anthropic, openai, rows, sharegpt, trl

# In the order in which a record is offered to them: the most particular first.
SHAPES: tuple[Shape, ...] = (
    sharegpt.SHAPE,
    openai.CHAT,
    anthropic.SHAPE,
    trl.MESSAGES,
    openai.FINETUNE,
    trl.PROMPT,
    rows.SHAPE,
)


@dataclass(frozen=True)
class Container:
    """A kind of file or folder; its module is loaded when a file of the kind is read."""

    name: str
    summary: str
    module: str
    suffixes: tuple[str, ...] = ()

    def read(self, path: Path, images: ImageReader, name: str) -> Iterator[RawRow | Problem]:
        """Every record, or the problem in its place; `name` stands for the path in messages."""
        module = importlib.import_module(f"kolm_cli.formats.containers.{self.module}")
        found: Iterator[RawRow | Problem] = module.read(path, images, name)
        return found


CONTAINERS: tuple[Container, ...] = (
    Container("json", "JSON lines, or a JSON array", "jsontext", (".jsonl", ".ndjson", ".json")),
    Container("csv", "CSV with a header", "csvtext", (".csv",)),
    Container("parquet", "Parquet with images inside", "parquet", (".parquet",)),
    Container("webdataset", "WebDataset tar", "webdataset", (".tar", ".tar.gz", ".tgz")),
    Container("imagefolder", "a folder with metadata.jsonl or metadata.csv", "imagefolder"),
    Container("sidecar", "a folder of name.png beside name.json", "sidecar"),
    Container("folder", "a folder of .jsonl or .csv files", "folder"),
)


def names() -> tuple[str, ...]:
    """Everything that `--format` takes."""
    return (*(shape.name for shape in SHAPES), *(container.name for container in CONTAINERS))


def container_for(path: Path, format: str | None) -> Container:
    """The container to read `path` with: the one that `format` names, or by what `path` is.

    Raises:
        InputError: nothing reads such a path.
    """
    name = format if any(c.name == format for c in CONTAINERS) else _recognise(path)
    for container in CONTAINERS:
        if container.name == name:
            return container
    if path.is_dir():
        what, known = "a folder like this one", "a folder with a metadata.jsonl"
    else:
        what = f"a {path.suffix} file" if path.suffix else "a file without a suffix"
        known = "one of " + " ".join(s for c in CONTAINERS for s in c.suffixes)
    raise InputError(
        Problem(
            f"kolm does not know how to read {what}",
            where=str(path),
            fix=f"use {known}, or say --format",
        )
    )


def _recognise(path: Path) -> str | None:
    if not path.is_dir():
        for container in CONTAINERS:
            if path.name.lower().endswith(container.suffixes or "\0"):
                return container.name
        return None
    # A folder is what the most telling file in it says.
    tests = {
        "imagefolder": ("metadata.jsonl", "metadata.csv", "metadata.parquet"),
        "webdataset": ("*.tar", "*.tar.gz", "*.tgz"),
        "parquet": ("*.parquet",),
    }
    for name, patterns in tests.items():
        if any(next(path.rglob(pattern), None) for pattern in patterns):
            return name
    if any(next(path.glob(pattern), None) for pattern in ("*.jsonl", "*.ndjson", "*.csv")):
        return "folder"
    return "sidecar" if next(path.rglob("*.json"), None) else None


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
