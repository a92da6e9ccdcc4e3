"""What an export format is, and what it gets to work with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.modules import ModuleLists, read_modules
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import Problem
from kolm_cli.core.progress import Progress
from kolm_cli.families.resolve import Base

FULL, HALF, BRAIN = "float32", "float16", "bfloat16"
TORCH_DTYPES = (FULL, BRAIN, HALF)


@dataclass(frozen=True)
class Source:
    """What is exported: a bundle that was verified and unpacked, and its base.

    Attributes:
        folder: the bundle's files.
        cid: its CID.
        name: its name.
        base: the base that it was trained on.
        weights: digests of the base's weight files, by name.
        dtype: the type of the exported weights.
        progress: told of long work.
        scored: the type that the bundle was scored in.
    """

    folder: Path
    cid: str
    name: str
    base: Base
    weights: Mapping[str, str]
    dtype: str
    progress: Progress
    scored: str = FULL

    @property
    def adapter(self) -> Path:
        """The folder of what was trained."""
        return self.folder / "adapter"

    @cached_property
    def modules(self) -> ModuleLists:
        """Every parameter of the model, trained or frozen."""
        return read_modules((self.folder / layout.MODULES).read_bytes())

    @cached_property
    def adapter_config(self) -> dict[str, Any]:
        """`adapter_config.json`, as the bundle has it."""
        data = (self.folder / layout.ADAPTER_CONFIG).read_bytes()
        config: dict[str, Any] = canonical_json.loads(data, max_bytes=layout.MIB)
        return config

    @cached_property
    def full_parts(self) -> tuple[str, ...]:
        """The parts that were trained in full, whose tensors no LoRA server loads."""
        return tuple(sorted({t.part for t in self.modules.trainable if t.kind == "full"}))

    @cached_property
    def lora_parts(self) -> tuple[str, ...]:
        """The parts that have LoRA."""
        return tuple(sorted({t.part for t in self.modules.trainable if t.kind == "lora"}))

    @cached_property
    def max_rank(self) -> int:
        """The highest rank of any of its LoRA pairs."""
        return max(t.shape[0] for t in self.modules.trainable if ".lora_A." in t.name)

    @cached_property
    def config(self) -> dict[str, Any]:
        """The base's `config.json`."""
        loaded: dict[str, Any] = json.loads((self.base.folder / "config.json").read_bytes())
        return loaded


@dataclass(frozen=True)
class File:
    """One file of an export.

    Attributes:
        path: its place in the folder.
        write: writes it to a path.
        target: the file of the base that it is a link to; it is not written then.
        sha256: of that file.
    """

    path: str
    write: Callable[[Path], object]
    target: Path | None = None
    sha256: str = ""


def text(path: str, content: str | bytes) -> File:
    """A file of this content."""
    data = content if isinstance(content, bytes) else content.encode()
    return File(path, lambda place: place.write_bytes(data))


def copy(path: str, source: Path) -> File:
    """A file with the content of another."""
    return File(path, lambda place: place.write_bytes(source.read_bytes()))


@dataclass(frozen=True)
class Serving:
    """How a server is started on an export.

    Attributes:
        model: the model's folder inside of the export; empty where a hub id is served.
        hub: the hub id and its revision, where the base is served as it is.
        adapter: the LoRA folder inside of the export; empty where there is none to load.
        tower_connector: whether LoRA reaches beyond the language tower.
        max_rank: the highest rank of the adapter.
    """

    model: str = ""
    hub: tuple[str, str] = ("", "")
    adapter: str = ""
    tower_connector: bool = False
    max_rank: int = 0

    def as_json(self) -> dict[str, Any]:
        """As `kolm-export.json` has it."""
        return {
            "model": self.model,
            "hub": list(self.hub),
            "adapter": self.adapter,
            "tower_connector": self.tower_connector,
            "max_rank": self.max_rank,
        }


Problems = Callable[[Source], list[Problem]]


def _nothing(source: Source) -> list[Problem]:
    return []


@dataclass(frozen=True)
class Format:
    """One export format.

    Attributes:
        name: what `--to` is given.
        summary: one line for the help.
        files: makes its files, one after the other, so that only one has to be held at a time.
        serving: how a server is started on it.
        problems: why a bundle cannot be exported to it, and what would work.
        dtypes: the types that `--dtype` takes; none where the bundle decides.
        default_dtype: what it takes unless told; empty for the type that the bundle was scored in.
    """

    name: str
    summary: str
    files: Callable[[Source], Iterator[File]]
    serving: Callable[[Source], Serving]
    problems: Problems = field(default=_nothing)
    dtypes: tuple[str, ...] = TORCH_DTYPES
    default_dtype: str = ""
