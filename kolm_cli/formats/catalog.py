"""The formats that `kolm capture import` reads and `kolm capture export` writes.

A format is where records are kept (a container) and how a record spells a conversation (a shape).
To add one: a module in `containers/` or `shapes/`, and a line here.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.names import likely_fix
from kolm_cli.formats import sides
from kolm_cli.formats.fields import RawRow, Shape
from kolm_cli.formats.image_references import ImageReader
from kolm_cli.formats.shapes import anthropic, openai, rows, sharegpt, trl
from kolm_cli.formats.targets import RowWriter, Target

# In the order in which a record is offered to them: the most particular first.
SHAPES: tuple[Shape, ...] = (
    sharegpt.SHAPE,
    openai.CHAT,
    trl.MESSAGES,
    anthropic.SHAPE,
    openai.FINETUNE,
    trl.PROMPT,
    rows.SHAPE,
)


# What a written container holds: any shape, one of these two as the pairs need, or only one.
_ANY, _AS_NEEDED = "any", "as needed"


@dataclass(frozen=True)
class Container:
    """A kind of file or folder; its module is loaded when a file of the kind is met.

    Attributes:
        name: what `--format` takes.
        summary: one line for a reader.
        module: its module in `containers/`: `read`, and `writer` where it is written too.
        suffixes: how the names of its files end; none for folders.
        holds: what it is written with: `_ANY`, `_AS_NEEDED` (kolm's rows when every pair is one
            question and one answer, else TRL's messages), or the name of a shape; "" when it is
            only read.
        embeds: `--embed` makes a difference to it.
    """

    name: str
    summary: str
    module: str
    suffixes: tuple[str, ...] = ()
    holds: str = _AS_NEEDED
    embeds: bool = False

    def read(self, path: Path, images: ImageReader, name: str) -> Iterator[RawRow | Problem]:
        """Every record, or the problem in its place; messages use `name` for the path."""
        found: Iterator[RawRow | Problem] = self._loaded().read(path, images, name)
        return found

    def writer(self, target: Target) -> RowWriter:
        """What writes `target`."""
        made: RowWriter = self._loaded().writer(target)
        return made

    def _loaded(self) -> ModuleType:
        return importlib.import_module(f"kolm_cli.formats.containers.{self.module}")


JSON = Container(
    "json",
    "JSON lines, or a JSON array",
    "jsontext",
    (".jsonl", ".ndjson", ".json"),
    _ANY,
    embeds=True,
)
CONTAINERS: tuple[Container, ...] = (
    JSON,
    Container("csv", "CSV with a header", "csvtext", (".csv",), rows.SHAPE.name, embeds=True),
    Container(
        "parquet",
        "Parquet with images inside",
        "parquet",
        (".parquet",),
        trl.MESSAGES.name,
    ),
    Container("webdataset", "WebDataset tar", "webdataset", (".tar", ".tar.gz", ".tgz")),
    Container("imagefolder", "a folder with metadata.jsonl or metadata.csv", "imagefolder"),
    Container("sidecar", "a folder of name.png beside name.json", "sidecar"),
    Container(
        "saved-to-disk",
        "a folder that datasets' save_to_disk wrote",
        "saved_to_disk",
        holds="",
    ),
    Container("folder", "a folder of .jsonl or .csv files", "folder", holds=""),
)

DATA_SUFFIXES = tuple(suffix for container in CONTAINERS for suffix in container.suffixes)


def names() -> tuple[str, ...]:
    """Everything that `--format` of an import takes."""
    return (*(shape.name for shape in SHAPES), *(container.name for container in CONTAINERS))


def written_names() -> tuple[str, ...]:
    """Everything that `--format` of an export takes: what is read, but for what is only read."""
    return tuple(
        name for name in names() if name not in {c.name for c in CONTAINERS if not c.holds}
    )


def written(format: str, *, simple: bool) -> tuple[Container, Shape]:
    """How `format`, one of `written_names()`, is written.

    Args:
        format: the name of a shape, written as JSON, or of a container.
        simple: every pair is one question and one answer, as kolm's rows hold them.
    """
    named = {shape.name: shape for shape in SHAPES}
    if format in named:
        return JSON, named[format]
    container = next(c for c in CONTAINERS if c.name == format)
    needed = rows.SHAPE if simple else trl.MESSAGES
    return container, named.get(container.holds, needed)


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
        known = "one of " + " ".join(DATA_SUFFIXES)
    raise InputError(
        Problem(
            f"kolm does not know how to read {what}",
            where=str(path),
            fix=f"use {known}, or say --format",
        )
    )


def holds_rows(folder: Path) -> bool:
    """Whether one of the containers reads this folder."""
    return _recognise(folder) is not None


def _recognise(path: Path) -> str | None:
    if not path.is_dir():
        for container in CONTAINERS:
            if path.name.lower().endswith(container.suffixes or "\0"):
                return container.name
        return None
    # A folder is what the most telling file in it says.
    if (path / "state.json").is_file() and (path / "dataset_info.json").is_file():
        return "saved-to-disk"
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


def refuse_several_sides(path: Path) -> None:
    """Refuse a folder of which one part is trained on and another held out.

    Raises:
        InputError: names the parts, and what to write instead.
    """
    if (path / "dataset_dict.json").is_file():
        splits = [str(f) for f in sorted(path.iterdir()) if (f / "state.json").is_file()]
        raise InputError(
            Problem(
                "holds several splits, as datasets' save_to_disk writes them",
                where=str(path),
                fix=f"name one of them: {', '.join(splits)}",
            )
        )
    sides.refuse_several(path, DATA_SUFFIXES)


def check_format(format: str, known: Sequence[str]) -> None:
    """Raise `InputError` unless `format` is one of `known`."""
    if format not in known:
        fix = likely_fix(format, known)
        raise InputError(Problem(f"there is no format {format!r}", "--format", fix))
