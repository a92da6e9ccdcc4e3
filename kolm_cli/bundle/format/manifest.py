"""`manifest.json`: what a bundle holds, file by file. Its bytes are what the CID names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.json_lines import SHA256
from kolm_cli.core import canonical_json, digests
from kolm_cli.core.errors import InputError, Problem, VerificationError
from kolm_cli.core.names import is_name

_KEYS = {"base", "files", "format", "name"}


@dataclass(frozen=True)
class FileRecord:
    """A file as the manifest lists it: bytes, and hex SHA-256."""

    size: int
    sha256: str


@dataclass(frozen=True)
class BaseIdentity:
    """The base model that the adapter belongs to.

    Attributes:
        model: its hub id, or the name of its folder.
        revision: the hub commit; empty for a local folder.
        weights: file name to hex SHA-256 of its weights.
    """

    model: str
    revision: str
    weights: Mapping[str, str]


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read and found well formed.

    Attributes:
        name: the bundle's name, which a trust policy allows keys to sign.
        base: the base model.
        files: path to size and digest, of everything but the manifest and the attestations.
    """

    name: str
    base: BaseIdentity
    files: Mapping[str, FileRecord]

    @property
    def total_bytes(self) -> int:
        """The sum of the sizes: the S axis of the K-score is made of it."""
        return sum(record.size for record in self.files.values())

    def to_bytes(self) -> bytes:
        """The canonical bytes."""
        listed = [
            {"path": path, "sha256": record.sha256, "size": record.size}
            for path, record in sorted(self.files.items(), key=lambda i: layout.sort_key(i[0]))
        ]
        base = {
            "model": self.base.model,
            "revision": self.base.revision,
            "weights": dict(self.base.weights),
        }
        return canonical_json.dumps(
            {"base": base, "files": listed, "format": layout.FORMAT, "name": self.name}
        )

    @property
    def cid(self) -> str:
        """The CID of the bundle."""
        return digests.cid(self.to_bytes())


def checked_bytes(manifest: Manifest) -> bytes:
    """The bytes to write, after reading them back under the reader's own rules.

    Raises:
        InputError: a verifier would refuse this manifest.
    """
    data = manifest.to_bytes()
    try:
        read_manifest(data)
    except VerificationError as error:
        raise InputError(*(Problem(str(p), layout.MANIFEST) for p in error.problems)) from error
    return data


def read_manifest(data: bytes) -> Manifest:
    """Read a manifest strictly.

    Raises:
        VerificationError: holds everything that is wrong.
    """
    value = canonical_json.loads_canonical(data, max_bytes=layout.MAX_MANIFEST_BYTES)
    if not isinstance(value, dict) or set(value) != _KEYS:
        raise VerificationError(f"has not exactly the keys {', '.join(sorted(_KEYS))}")
    problems: list[str] = []
    if value["format"] != layout.FORMAT:
        problems.append(f"the format is {value['format']!r:.60}, not {layout.FORMAT}")
    name = value["name"]
    if not isinstance(name, str) or not is_name(name):
        problems.append(f"{name!r:.80} cannot be a name")
    base = _base(value["base"], problems)
    files = _files(value["files"], problems)
    if problems or base is None:
        raise VerificationError(*problems)
    return Manifest(name, base, files)


def _base(value: Any, problems: list[str]) -> BaseIdentity | None:
    if not isinstance(value, dict) or set(value) != {"model", "revision", "weights"}:
        problems.append("base has not exactly the keys model, revision, weights")
        return None
    model, revision, weights = value["model"], value["revision"], value["weights"]
    if not isinstance(model, str) or not 0 < len(model) <= 256 or not model.isprintable():
        problems.append("base.model is not a model's name")
    if not isinstance(revision, str) or len(revision) > 256 or not revision.isprintable():
        problems.append("base.revision is not a revision")
    if not isinstance(weights, dict) or not weights:
        problems.append("base.weights names no weights")
    elif not all(isinstance(d, str) and SHA256.fullmatch(d) for d in weights.values()):
        problems.append("base.weights holds something that is not a SHA-256")
    if problems:
        return None
    return BaseIdentity(model, revision, weights)


def _files(value: Any, problems: list[str]) -> dict[str, FileRecord]:
    files: dict[str, FileRecord] = {}
    if not isinstance(value, list):
        problems.append("files is not a list")
        return files
    for item in value[: layout.MAX_ENTRIES]:
        if not isinstance(item, dict) or set(item) != {"path", "sha256", "size"}:
            problems.append("a file has not exactly the keys path, sha256, size")
            continue
        path, sha256, size = item["path"], item["sha256"], item["size"]
        if not isinstance(path, str) or not layout.is_attested(path):
            problems.append(f"{path!r:.120} must not be listed")
        elif (kind := layout.kind_of(path)) is None:
            problems.append(f"{path!r:.120} is not a file that a bundle may hold")
        elif path in files:
            problems.append(f"{path} is listed twice")
        elif type(size) is not int or not 0 <= size <= kind.max_bytes:
            problems.append(f"{path}: the size {size!r:.40} is not one it may have")
        elif not isinstance(sha256, str) or not SHA256.fullmatch(sha256):
            problems.append(f"{path}: {sha256!r:.80} is not a SHA-256")
        else:
            files[path] = FileRecord(size, sha256)
    if len(value) > layout.MAX_ENTRIES:
        problems.append(f"lists {len(value)} files; a bundle holds {layout.MAX_ENTRIES}")
    if list(files) != sorted(files, key=layout.sort_key):
        problems.append("the files are not listed in the order of the format")
    return files
