"""All that one pass over a bundle leaves for the checks to look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import BinaryIO

from kolm_cli.bundle.container.sinks import Keep, Tensors
from kolm_cli.bundle.container.zip_reader import ByteSink, ContainerError, Scanned, Told, scan
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.dataset import TrainRowsReader
from kolm_cli.bundle.format.manifest import Manifest, read_manifest
from kolm_cli.core import digests
from kolm_cli.core.errors import VerificationError

Tee = Callable[[str, ByteSink | None], ByteSink]


@dataclass
class BundleContents:
    """What was read.

    Attributes:
        files: path to what was measured of the file, in the archive's order.
        kept: path to content, of the files that the checks look into.
        tensors: path to what was seen of a safetensors file.
        train: the training rows.
        container_problem: why the file is not a bundle's archive; the rest is then incomplete.
    """

    files: dict[str, Scanned] = field(default_factory=dict)
    kept: dict[str, Keep] = field(default_factory=dict)
    tensors: dict[str, Tensors] = field(default_factory=dict)
    train: TrainRowsReader = field(default_factory=TrainRowsReader)
    container_problem: str = ""

    def content(self, path: str) -> bytes:
        """The content of a file that was kept.

        Raises:
            VerificationError: the bundle does not have it.
        """
        if path not in self.files or path not in self.kept:
            raise VerificationError(f"the bundle has no {path}")
        return bytes(self.kept[path].data)

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest.

        Raises:
            VerificationError: it is missing or wrong.
        """
        return read_manifest(self.content(layout.MANIFEST))

    @property
    def cid(self) -> str | None:
        """The CID, None when there is no well-formed manifest."""
        try:
            return digests.cid_from_digest(digests.sha256_bytes(self.manifest.to_bytes()))
        except VerificationError:
            return None


def read_contents(
    stream: BinaryIO, tee: Tee | None = None, told: Told | None = None
) -> BundleContents:
    """Read a bundle once; what is wrong with the archive is noted, not raised.

    Args:
        stream: the open file, at its start.
        tee: wraps the sink of every file, to write it elsewhere at the same time.
        told: told how many bytes were read.
    """
    contents = BundleContents()

    kept = 0

    def sink_for(path: str, size: int) -> ByteSink | None:
        nonlocal kept
        sink = _sink(contents, path, size)
        kept += size if isinstance(sink, Keep) else 0
        if kept > layout.MAX_KEPT_BYTES:
            raise ContainerError(f"holds more than {layout.MAX_KEPT_BYTES} bytes to look into")
        return sink if tee is None else tee(path, sink)

    try:
        contents.files = {item.entry.name: item for item in scan(stream, sink_for, told)}
    except ContainerError as error:
        contents.container_problem = str(error)
    return contents


def _sink(contents: BundleContents, path: str, size: int) -> ByteSink | None:
    kind = layout.kind_of(path)
    if kind is None:
        return None
    if layout.is_safetensors(path):
        return contents.tensors.setdefault(path, Tensors(size))
    if path == layout.TRAIN_ROWS:
        return contents.train
    return contents.kept.setdefault(path, Keep()) if kind.kept else None
