"""`gc`: removes blobs that no name and no running command needs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.core.errors import VerificationError
from kolm_cli.registry.index import Index, StoredBundle, promoted
from kolm_cli.registry.oci_image import MAX_IMAGE_BYTES, read_image
from kolm_cli.registry.store import Registry
from kolm_cli.registry.workspace import remove_file


@dataclass(frozen=True)
class Collected:
    """What a collection did.

    Attributes:
        forgotten: CIDs of bundles without a tag that were taken from the index.
        removed: CIDs of bundles of which nothing is left.
        blobs: files that were removed.
        bytes: what they held.
        kept: files that remain.
    """

    forgotten: list[str]
    removed: list[str]
    blobs: int
    bytes: int
    kept: int


def collect(registry: Registry, *, untagged: bool = False, dry_run: bool = False) -> Collected:
    """Remove what is not needed. It never waits for a running push, and takes nothing from one.

    Args:
        registry: where.
        untagged: first forget every bundle that no tag names.
        dry_run: only say what would be removed.

    Raises:
        VerificationError: the index is damaged, so that what is needed cannot be known.
    """
    if not registry.exists:
        return Collected([], [], 0, 0, 0)
    with registry.at_work(), registry.changing() as box:
        index = box[0]
        forgotten: list[str] = []
        if untagged:
            tagged = {e.digest for e in index.entries if e.tag}
            gone = [e for e in index.entries if e.digest not in tagged]
            index = _without(index, gone)
            kept = {e.cid for e in index.entries}
            forgotten = sorted({e.cid for e in gone} - kept)
            if not dry_run:
                # Written before anything is swept: a kill in between leaves only superfluous files.
                registry.replace_index(index)
                box[0] = index
        needed = needed_by(registry, index) | registry.workspace.leased()
        return _sweep(registry, needed, forgotten, dry_run=dry_run)


def _without(index: Index, gone: Sequence[StoredBundle]) -> Index:
    index = index.without(gone)
    for cid in {e.cid for e in gone}:
        index = promoted(index, cid)
    return index


def needed_by(registry: Registry, index: Index) -> set[str]:
    """The hex digests of all blobs that the index reaches.

    Raises:
        VerificationError: an OCI manifest cannot be read: then nothing may be removed.
    """
    needed: set[str] = set()
    for digest in {e.digest: e for e in index.entries}.values():
        needed.add(digest.hex)
        needed.update(file.hex for file in registry.image(digest).files)
    for raw in index.foreign:
        _follow(registry, raw, needed)
    return needed


def _follow(registry: Registry, raw: Any, needed: set[str]) -> None:
    """Mark what another program's descriptor reaches, whatever kind of image it is."""
    digest = raw.get("digest") if isinstance(raw, dict) else None
    if not isinstance(digest, str) or digest.removeprefix("sha256:") in needed:
        return
    name = digest.removeprefix("sha256:")
    needed.add(name)
    kind = str(raw.get("mediaType", ""))
    if not kind.endswith("+json") or "config" in kind or "/" in name:
        return
    try:
        value = json.loads(_small(registry.blobs.path(name)))
    except (ValueError, RecursionError):
        return
    if isinstance(value, dict):
        for key in ("manifests", "layers", "blobs"):
            for item in value.get(key) or []:
                _follow(registry, item, needed)
        _follow(registry, value.get("config"), needed)


def _sweep(
    registry: Registry, needed: set[str], forgotten: list[str], *, dry_run: bool
) -> Collected:
    names = registry.blobs.names()
    superfluous = [name for name in names if name not in needed]
    removed = {_cid(registry, name) for name in superfluous} - {""}
    # Whatever was listed may be gone by now: only what was there is counted.
    paths = map(registry.blobs.path, superfluous)
    sizes = [s for path in paths if (s := remove_file(path, dry_run=dry_run)) is not None]
    size = sum(sizes) + registry.workspace.sweep(dry_run=dry_run)
    kept = len(names) - len(superfluous)
    return Collected(forgotten, sorted(removed), len(sizes), size, kept)


def _small(path: Path) -> bytes:
    """What a blob holds; nothing when it is gone, or too large for an OCI manifest."""
    try:
        return path.read_bytes() if path.stat().st_size <= MAX_IMAGE_BYTES else b""
    except (FileNotFoundError, IsADirectoryError):
        return b""


def _cid(registry: Registry, name: str) -> str:
    """The CID of a bundle when the blob is its OCI manifest, else nothing."""
    data = _small(registry.blobs.path(name))
    if b'"config"' not in data:
        return ""
    try:
        return read_image(data).cid
    except VerificationError:
        return ""
