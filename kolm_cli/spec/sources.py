"""Where data comes from: what `data.train` and `data.eval` may say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kolm_cli.capture.split import parse_reference
from kolm_cli.core.errors import InputError
from kolm_cli.formats.columns import Columns

FILE_ENDINGS = (".jsonl", ".ndjson", ".json", ".parquet", ".csv", ".tar", ".tar.gz", ".tgz")
FORMS = (
    "write capture:NAME, capture:NAME@train, capture:NAME@eval:0.2, a folder or a file"
    f" ({' '.join(FILE_ENDINGS)})"
)


@dataclass(frozen=True)
class CaptureSource:
    """Pairs of the capture store.

    Attributes:
        namespace: the namespace they were captured to.
        split: the named part of it as it was written, or None for all of it.
    """

    namespace: str
    split: str | None = None


@dataclass(frozen=True)
class FileSource:
    """A file of rows, or a folder of such files.

    Attributes:
        path: where it is, absolute.
        columns: which of its columns hold what, where they do not have kolm's names.
    """

    path: Path
    columns: Columns | None = None


Source = CaptureSource | FileSource


@dataclass(frozen=True)
class AdapterSource:
    """The bundle that `base.adapter` names: a file, or a name in the local registry.

    Attributes:
        text: what stands for it: NAME:TAG, NAME, a CID; or the absolute path.
        path: the file; None for a name.
    """

    text: str
    path: Path | None = None


def parse_source(value: str, folder: Path, columns: Columns | None = None) -> Source:
    """Read one of the forms of `data.train`.

    Args:
        value: what the spec says.
        folder: the spec's folder, which relative paths start from.
        columns: which columns hold what; only files have columns.

    Raises:
        ValueError: not one of the forms; the message says what is wrong with it.
        FileNotFoundError: the form of a path, but nothing is there.
    """
    scheme, colon, rest = value.partition(":")
    if colon and scheme == "capture":
        try:
            namespace, split = parse_reference(value)
        except InputError as error:
            raise ValueError(str(error)) from error
        if columns is not None:
            raise ValueError("captured pairs have no columns; they were named at the import")
        return CaptureSource(namespace, rest.partition("@")[2] if split else None)
    if colon and scheme == "sha256":
        raise ValueError("a digest, as bundles hold it, does not say where the data is")
    path = resolve(value, folder)
    if path.is_dir():
        return FileSource(path, columns)
    if not path.name.endswith(FILE_ENDINGS):
        if not path.exists() and not colon:
            raise FileNotFoundError(f"there is no file or folder {value!r}")
        raise ValueError(f"{value!r} is none of the forms that kolm reads")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {value!r}")
    return FileSource(path, columns)


def parse_adapter(value: str, folder: Path) -> AdapterSource:
    """Read one of the forms of `base.adapter`.

    Args:
        value: what the spec says.
        folder: the spec's folder, which relative paths start from.

    Raises:
        ValueError: not one of the forms.
        FileNotFoundError: the form of a path, but no file is there.
    """
    scheme, colon, rest = value.partition(":")
    if colon and scheme == "registry":
        if not rest.strip():
            raise ValueError("names no bundle")
        return AdapterSource(rest)
    path = resolve(value, folder)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {value!r}")
    return AdapterSource(str(path), path)


def resolve(value: str, folder: Path) -> Path:
    """The absolute path that `value` means in a spec in `folder`."""
    return (folder / Path(value).expanduser()).absolute()
