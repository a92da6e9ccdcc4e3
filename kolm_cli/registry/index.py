"""`index.json`: which OCI manifests a registry holds, and by which names."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kolm_cli.core.digests import is_cid
from kolm_cli.core.errors import InputError, Problem, VerificationError
from kolm_cli.core.files import write_atomic
from kolm_cli.registry.names import (
    CID_BEGINS,
    ContentId,
    Local,
    Pinned,
    Tag,
    is_name,
    is_remote,
    is_segment,
    parse_local,
)
from kolm_cli.registry.oci_image import ARTIFACT_TYPE, INDEX_TYPE, MANIFEST_TYPE

REF = "org.opencontainers.image.ref.name"
CID = "dev.kolm.cid"
NAME = "dev.kolm.name"
STORED = "dev.kolm.stored"
BYTES = "dev.kolm.bytes"
# Characters of a shortened CID; the first seven are the same in all.
MIN_CID = 8


@dataclass(frozen=True)
class StoredBundle:
    """One stored bundle under one name, or under none.

    Attributes:
        digest: of the OCI manifest, `sha256:…`.
        size: bytes of the OCI manifest.
        cid: of the content.
        name: the bundle's own name.
        stored: when it was pushed or pulled, ISO 8601 in UTC.
        bytes: of all its files.
        ref: `NAME:TAG`; the CID for the copy that the CID means; empty for an older copy
            (same content, other signatures).
    """

    digest: str
    size: int
    cid: str
    name: str
    stored: str
    bytes: int
    ref: str = ""

    @property
    def hex(self) -> str:
        """The OCI manifest's digest without its algorithm."""
        return self.digest.removeprefix("sha256:")

    @property
    def tag(self) -> str:
        """`NAME:TAG`, empty when this entry is no tag."""
        return "" if self.ref == self.cid else self.ref

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "ref": self.tag or None,
            "cid": self.cid,
            "digest": self.digest,
            "name": self.name,
            "bytes": self.bytes,
            "stored": self.stored,
        }


@dataclass(frozen=True)
class Index:
    """The parsed file.

    Attributes:
        entries: the bundles.
        foreign: descriptors that other programs put there: kept, never collected, not listed.
    """

    entries: tuple[StoredBundle, ...] = ()
    foreign: tuple[dict[str, Any], ...] = ()

    def with_bundle(self, entry: StoredBundle) -> Index:
        """The bundle added; its CID now means this copy; other copies stay."""
        known = {e.digest: e for e in self.entries if not e.tag}
        rest = tuple(
            replace(e, ref="") if e.ref == entry.cid else e
            for e in self.entries
            if e.tag or e.digest != entry.digest
        )
        first = replace(known.get(entry.digest, entry), ref=entry.cid)
        return replace(self, entries=(*rest, first))

    def with_tag(self, entry: StoredBundle, ref: str) -> Index:
        """The name `ref` given to a stored bundle, and taken from any other."""
        rest = tuple(e for e in self.entries if e.ref != ref)
        return replace(self, entries=(*rest, replace(entry, ref=ref)))

    def without(self, gone: Iterable[StoredBundle]) -> Index:
        """Some entries taken away."""
        dropped = set(gone)
        return replace(self, entries=tuple(e for e in self.entries if e not in dropped))

    def to_bytes(self) -> bytes:
        """The file's content."""
        ordered = sorted(self.entries, key=lambda e: (e.tag, e.stored, e.digest))
        manifests = [_descriptor(entry) for entry in ordered]
        value = {
            "schemaVersion": 2,
            "mediaType": INDEX_TYPE,
            "manifests": [*manifests, *self.foreign],
        }
        return json.dumps(value, indent=1).encode() + b"\n"


def read_index(path: Path) -> Index:
    """Read the file.

    Raises:
        VerificationError: it is not an OCI image index.
        FileNotFoundError: it is not there.
    """
    data = path.read_bytes()
    try:
        manifests = json.loads(data)["manifests"]
        if not isinstance(manifests, list) or not all(isinstance(m, dict) for m in manifests):
            raise TypeError("manifests is not a list of descriptors")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise VerificationError(
            Problem(f"is not an OCI image index: {error}", str(path)), hint="kolm registry check"
        ) from error
    read = [(m, _entry(m)) for m in manifests]
    return Index(
        tuple(entry for _, entry in read if entry is not None),
        tuple(raw for raw, entry in read if entry is None),
    )


def write_index(path: Path, index: Index) -> None:
    """Replace the file, durably."""
    write_atomic(path, index.to_bytes())


def _descriptor(entry: StoredBundle) -> dict[str, Any]:
    notes = {
        CID: entry.cid,
        NAME: entry.name,
        STORED: entry.stored,
        BYTES: str(entry.bytes),
    }
    return {
        "mediaType": MANIFEST_TYPE,
        "artifactType": ARTIFACT_TYPE,
        "digest": entry.digest,
        "size": entry.size,
        "annotations": {**({REF: entry.ref} if entry.ref else {}), **notes},
    }


def _entry(raw: dict[str, Any]) -> StoredBundle | None:
    notes = raw.get("annotations")
    if raw.get("artifactType") != ARTIFACT_TYPE or not isinstance(notes, dict):
        return None
    try:
        entry = StoredBundle(
            digest=str(raw["digest"]),
            size=int(raw["size"]),
            cid=str(notes[CID]),
            name=str(notes[NAME]),
            stored=str(notes[STORED]),
            bytes=int(notes[BYTES]),
            ref=str(notes.get(REF, "")),
        )
    except (KeyError, TypeError, ValueError):
        return None
    # The name becomes that of a file.
    return entry if is_cid(entry.cid) and is_segment(entry.name) else None


def find(index: Index, reference: Local) -> StoredBundle:
    """The entry with a name.

    Raises:
        InputError: there is none.
    """
    if isinstance(reference, Pinned):
        named = [e for e in index.entries if e.digest == reference.digest]
        allowed = {e.tag.partition(":")[0] for e in named if e.tag} | {e.name for e in named}
        found = [e for e in named if not e.tag] if reference.name in allowed else []
        if named and not found:
            raise InputError(
                Problem(f"is stored, but as {', '.join(sorted(allowed))}", str(reference))
            )
    elif isinstance(reference, ContentId):
        found = [e for e in index.entries if e.ref == reference.cid]
    else:
        found = [e for e in index.entries if e.tag == str(reference)]
    if not found:
        raise _absent(index, str(reference))
    return found[0]


def named(index: Index, text: str) -> Local:
    """What a person's name for a stored bundle stands for.

    Args:
        index: what is stored.
        text: NAME:TAG, NAME (its tag `latest`), a CID, at least the first 8 characters of a CID
            that no other stored one shares, or NAME@sha256:….

    Raises:
        InputError: it names nothing here, or several bundles.
    """
    if is_remote(text):
        raise InputError(Problem("is elsewhere", text, f"kolm pull {text}"))
    if text.startswith(CID_BEGINS) and text.isalnum() and not is_cid(text):
        if len(text) < MIN_CID:
            raise InputError(
                Problem(
                    "is too short to name one bundle",
                    text,
                    f"write at least {MIN_CID} characters of the CID",
                )
            )
        fitting = sorted({e.cid for e in index.entries if e.cid.startswith(text)})
        if len(fitting) > 1:
            fix = "write more of " + " or ".join(fitting)
            raise InputError(Problem(f"{len(fitting)} bundles have such a CID", text, fix))
        if not fitting:
            raise _absent(index, text)
        return ContentId(fitting[0])
    if is_name(text) and not is_cid(text):
        latest = Tag(text, "latest")
        if not any(e.tag == str(latest) for e in index.entries):
            raise _absent(index, text)
        return latest
    try:
        reference = parse_local(text)
    except InputError as error:
        what = "is neither a file nor the name of a bundle"
        fix = f"{error.problems[0]}; a bundle is named by a path, NAME:TAG, NAME or its CID"
        raise InputError(Problem(what, text[:300], fix)) from error
    find(index, reference)
    return reference


def _absent(index: Index, text: str) -> InputError:
    name = text.partition(":")[0]
    tags = sorted(e.tag for e in index.entries if e.tag.partition(":")[0] == name)
    what = "is neither a file nor a bundle in the local registry"
    if tags:
        listed = ", ".join(tags[:10]) + (", …" if len(tags) > 10 else "")
        what = f"is not in the local registry, which has {listed}"
    fix = "`kolm ls` lists what is here; `kolm pull oci://HOST/REPO:TAG` fetches a bundle"
    return InputError(Problem(what, text, fix))


def promoted(index: Index, cid: str) -> Index:
    """The CID given to the newest copy that is left, when the one that had it is gone."""
    left = [e for e in index.entries if e.cid == cid and not e.tag]
    if not left or any(e.ref == cid for e in left):
        return index
    return index.with_bundle(max(left, key=lambda e: e.stored))
