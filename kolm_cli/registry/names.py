"""How a stored bundle is named: `NAME:TAG`, a CID, `NAME@sha256:…`, `oci://HOST/REPO:TAG`."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from kolm_cli.core.digests import is_cid
from kolm_cli.core.errors import InputError, Problem

REMOTE = "oci://"
# How each CID of the form that kolm writes begins: its version, codec and kind of digest.
CID_BEGINS = "bafkrei"
_SEGMENT = r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?"
_NAME = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_CID_START = re.compile(r"b[a-z2-7]{8,}", re.ASCII)
# The stricter grammar of repository names (OCI distribution 1.1, "Pulling manifests").
_WORD = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_WORD}(?:/{_WORD})*", re.ASCII)
_HOST = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?", re.ASCII)


@dataclass(frozen=True)
class Tag:
    """A name that people give, and may give to another bundle later."""

    name: str
    tag: str

    def __str__(self) -> str:
        return f"{self.name}:{self.tag}"


@dataclass(frozen=True)
class ContentId:
    """A CID, whole."""

    cid: str

    def __str__(self) -> str:
        return self.cid


@dataclass(frozen=True)
class Pinned:
    """`NAME@sha256:…`: the digest is the OCI manifest's, so signatures are pinned as well."""

    name: str
    digest: str

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}"


@dataclass(frozen=True)
class Remote:
    """A place in a registry elsewhere.

    Attributes:
        host: with its port, as it was written.
        repository: the repository's name.
        reference: a tag (which may be a CID) or `sha256:…`; empty when none was given.
    """

    host: str
    repository: str
    reference: str = ""

    def __str__(self) -> str:
        mark = "@" if self.pinned else ":"
        return f"{REMOTE}{self.host}/{self.repository}" + (
            f"{mark}{self.reference}" if self.reference else ""
        )

    @property
    def pinned(self) -> bool:
        """Whether the reference is the digest of an OCI manifest."""
        return self.reference.startswith("sha256:")

    @property
    def loopback(self) -> bool:
        """Whether the host is this machine."""
        return is_loopback(re.sub(r":[0-9]+$", "", self.host).strip("[]"))


def is_loopback(name: str) -> bool:
    """Whether a host, without port and brackets, is this machine."""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


Local = Tag | ContentId | Pinned


def parse_tag(text: str) -> Tag:
    """Read `NAME:TAG`.

    Raises:
        InputError: it is something else, or a tag that pretends to be a CID or a digest.
    """
    name, colon, tag = text.partition(":")
    if not colon:
        fix = f"{text}:latest" if _NAME.fullmatch(text) else "NAME:TAG"
        raise InputError(Problem(f"{text!r:.200} has no tag", fix=f"write {fix}"))
    if len(name) > 255 or not _NAME.fullmatch(name):
        raise InputError(
            Problem(f"{name!r:.300} cannot be a name", fix="use a-z, 0-9, '.', '_', '-' and '/'")
        )
    if not _TAG.fullmatch(tag):
        raise InputError(Problem(f"{tag!r:.200} cannot be a tag", fix="use letters, digits, ._-"))
    check_tag(tag)
    return Tag(name, tag)


def check_tag(tag: str) -> None:
    """Refuse a tag that could be taken for an identifier of content: tags move, CIDs do not.

    Raises:
        InputError: it looks like a CID or a digest.
    """
    if is_cid(tag) or tag.startswith(CID_BEGINS) or re.fullmatch(r"[0-9a-f]{64}", tag):
        raise InputError(
            Problem(
                f"{tag!r} cannot be a tag: it looks like an identifier",
                fix="write a word, such as live",
            )
        )


def is_name(text: str) -> bool:
    """Whether `text` can be the NAME of NAME:TAG."""
    return len(text) <= 255 and _NAME.fullmatch(text) is not None


def is_segment(text: str) -> bool:
    """Whether `text` can be a bundle's name: a name without `/`."""
    return "/" not in text and _NAME.fullmatch(text) is not None


def parse_local(text: str) -> Local:
    """Read the name of a bundle in the local registry.

    Raises:
        InputError: it is none, or a digest or CID that was shortened.
    """
    if "@" in text:
        name, _, digest = text.partition("@")
        if not _NAME.fullmatch(name):
            raise InputError(Problem(f"{name!r:.300} cannot be a name"))
        return Pinned(name, whole_digest(digest))
    if is_cid(text):
        return ContentId(text)
    if text.startswith("sha256:"):
        whole_digest(text)
        raise InputError(
            Problem(f"{text} is a digest without a name", fix=f"write NAME@{text}, or the CID")
        )
    if ":" not in text and _CID_START.fullmatch(text):
        raise InputError(
            Problem(f"{text!r:.200} is not a whole CID", fix="`kolm ls` prints them whole")
        )
    return parse_tag(text)


def whole_digest(text: str) -> str:
    """`text`, when it is `sha256:` and 64 hex digits.

    Raises:
        InputError: it is shortened, or of another algorithm.
    """
    if not _DIGEST.fullmatch(text):
        raise InputError(
            Problem(
                f"{text!r:.200} is not a whole digest",
                fix="write sha256: and all 64 hex digits; shortened ones are refused",
            )
        )
    return text


def is_remote(text: str) -> bool:
    """Whether `text` names a registry elsewhere."""
    return text.startswith(REMOTE)


def parse_remote(text: str) -> Remote:
    """Read `oci://HOST/REPO`, `oci://HOST/REPO:TAG` or `oci://HOST/REPO@sha256:…`.

    Raises:
        InputError: it is none of them.
    """
    host, slash, rest = text.removeprefix(REMOTE).partition("/")
    if not slash or not _HOST.fullmatch(host):
        raise InputError(
            Problem(f"{text!r:.300} names no registry", fix="write oci://HOST/REPO:TAG")
        )
    if "@" in rest:
        repository, _, digest = rest.partition("@")
        reference = whole_digest(digest)
    else:
        repository, _, reference = rest.partition(":")
        if rest.endswith(":") or (reference and not _TAG.fullmatch(reference)):
            raise InputError(Problem(f"{reference!r:.200} cannot be a tag", where=text[:300]))
        if reference and not is_cid(reference):
            check_tag(reference)
    if len(repository) > 255 or not _REPOSITORY.fullmatch(repository):
        raise InputError(Problem(f"{repository!r:.300} cannot be a repository", where=text[:300]))
    return Remote(host, repository, reference)
