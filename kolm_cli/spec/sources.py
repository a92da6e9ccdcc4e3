"""Where data comes from: what `data.train` and `data.eval` may say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from kolm_cli.spec.model import is_name

FILE_ENDINGS = (".jsonl", ".ndjson", ".json", ".parquet", ".csv", ".tar", ".tar.gz", ".tgz")
# `kolm_cli.capture.split` says what they mean.
_SPLIT = re.compile(r"(train|eval)(:0?\.[0-9]+)?")
FORMS = (
    "write capture:NAME, capture:NAME@train, capture:NAME@eval:0.2, a folder or a file"
    f" ({' '.join(FILE_ENDINGS)})"
)


@dataclass(frozen=True)
class CaptureSource:
    """Pairs of the capture store.

    Attributes:
        namespace: the namespace they were captured to.
        split: the named part of it, or None for all of it.
    """

    namespace: str
    split: str | None = None


@dataclass(frozen=True)
class FileSource:
    """A file of rows, or a folder of such files; `path` is absolute."""

    path: Path


Source = CaptureSource | FileSource


def parse_source(value: str, folder: Path) -> Source:
    """Read one of the forms of `data.train`.

    Args:
        value: what the spec says.
        folder: the spec's folder, which relative paths start from.

    Raises:
        ValueError: not one of the forms; the message says what is wrong with it.
        FileNotFoundError: the form of a path, but nothing is there.
    """
    scheme, colon, rest = value.partition(":")
    if colon and scheme == "capture":
        namespace, at, split = rest.partition("@")
        if not is_name(namespace):
            raise ValueError(f"{namespace!r} cannot be the name of a capture namespace")
        if at and not _SPLIT.fullmatch(split):
            raise ValueError(f"{split!r} is not a split; write train, eval, train:0.8 or eval:0.2")
        return CaptureSource(namespace, split if at else None)
    if colon and scheme == "sha256":
        raise ValueError("a digest, as bundles hold it, does not say where the data is")
    path = resolve(value, folder)
    if path.is_dir():
        return FileSource(path)
    if not path.name.endswith(FILE_ENDINGS):
        if not path.exists() and not colon:
            raise FileNotFoundError(f"there is no file or folder {value!r}")
        raise ValueError(f"{value!r} is none of the forms that kolm reads")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {value!r}")
    return FileSource(path)


def resolve(value: str, folder: Path) -> Path:
    """The absolute path that `value` means in a spec that stands in `folder`."""
    return (folder / Path(value).expanduser()).absolute()
