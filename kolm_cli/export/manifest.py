"""`kolm-export.json`: which bundle a folder was exported from, and the digests of its files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.core import canonical_json, digests
from kolm_cli.core.errors import InputError, Problem, VerificationError
from kolm_cli.core.files import read_regular

NAME = "kolm-export.json"
FORM = "kolm-export/1"
_MAX_BYTES = 4 << 20
_KEYS = {"format", "to", "cid", "name", "dtype", "kolm", "base", "serve", "files"}


@dataclass(frozen=True)
class Entry:
    """A file of an export.

    Attributes:
        size: in bytes.
        sha256: in hex.
        link: whether it is a link to the base's own file.
    """

    size: int
    sha256: str
    link: bool = False


@dataclass(frozen=True)
class ExportManifest:
    """What `kolm-export.json` says.

    Attributes:
        to: the format's name.
        cid: the bundle's CID.
        name: the bundle's name.
        dtype: the type of the exported weights.
        kolm: the version that wrote it.
        base: the base's `model`, `revision` and `weights`, as the bundle's manifest has them.
        serve: how a server is started on it (`Serving`).
        files: path to facts, of all files but this one.
    """

    to: str
    cid: str
    name: str
    dtype: str
    kolm: str
    base: Mapping[str, Any]
    serve: Mapping[str, Any]
    files: Mapping[str, Entry]

    def to_bytes(self) -> bytes:
        """The canonical bytes: their digest names the export."""
        listed = [
            {"path": path, "sha256": e.sha256, "size": e.size, **({"link": True} if e.link else {})}
            for path, e in sorted(self.files.items())
        ]
        return canonical_json.dumps({"format": FORM, **vars(self), "files": listed})

    @property
    def digest(self) -> str:
        """SHA-256 of the file: names the export as the CID names the bundle."""
        return digests.sha256_bytes(self.to_bytes())


def read_manifest(folder: Path) -> ExportManifest:
    """Read the manifest of an exported folder, strictly.

    Raises:
        InputError: the folder is no export.
        VerificationError: its manifest is malformed.
    """
    try:
        data = read_regular(folder / NAME, _MAX_BYTES)
    except OSError as error:
        raise InputError(
            Problem(
                f"there is no {NAME} ({error.strerror})",
                where=str(folder),
                fix="name a folder that `kolm export` wrote",
            )
        ) from error
    value = canonical_json.loads_canonical(data, max_bytes=_MAX_BYTES)
    if not isinstance(value, dict) or set(value) != _KEYS or value["format"] != FORM:
        raise VerificationError(Problem(f"is not of the form {FORM}", where=NAME))
    words = {key: value[key] for key in ("to", "cid", "name", "dtype", "kolm")}
    if not all(isinstance(word, str) for word in words.values()):
        raise VerificationError(Problem(f"{', '.join(words)} are not all text", where=NAME))
    if not isinstance(value["base"], dict) or not isinstance(value["serve"], dict):
        raise VerificationError(Problem("base or serve is not an object", where=NAME))
    files = dict(_entries(value["files"]))
    return ExportManifest(**words, base=value["base"], serve=value["serve"], files=files)


def _entries(value: Any) -> Iterator[tuple[str, Entry]]:
    listed = value if isinstance(value, list) else [None]
    for item in listed:
        if not isinstance(item, dict) or not {"path", "sha256", "size"} <= set(item):
            raise VerificationError(Problem("files is not a list of files", where=NAME))
        path, size, sha256 = item["path"], item["size"], item["sha256"]
        inside = isinstance(path, str) and path == os.path.normpath(path) and _is_inside(path)
        if not inside or type(size) is not int or not isinstance(sha256, str):
            raise VerificationError(Problem(f"{json.dumps(path)[:80]} is no file", where=NAME))
        yield path, Entry(size, sha256, item.get("link") is True)


def _is_inside(path: str) -> bool:
    return not os.path.isabs(path) and path.split("/")[0] not in ("", ".", "..")
