"""Push and pull as the commands know them: here or elsewhere, as the name says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.core.progress import Progress
from kolm_cli.registry import pull as local
from kolm_cli.registry.bundle_file import bundle_file
from kolm_cli.registry.index import named
from kolm_cli.registry.names import is_remote, parse_remote, parse_tag
from kolm_cli.registry.pull import Pulled
from kolm_cli.registry.store import Registry


@dataclass(frozen=True)
class Pushed:
    """What a push has stored.

    Attributes:
        cid: the CID.
        digest: the OCI manifest's.
        refs: every name that it has now.
        written: blobs that had to be written or sent.
        present: blobs that were there.
    """

    cid: str
    digest: str
    refs: tuple[str, ...]
    written: int
    present: int

    def as_json(self) -> dict[str, Any]:
        """The document that `kolm push --json` prints."""
        return {**vars(self), "refs": list(self.refs)}


def push(bundle: str, name: str | None, progress: Progress, *, plain_http: bool = False) -> Pushed:
    """Store a bundle.

    Args:
        bundle: a file, or a name in the local registry.
        name: `NAME:TAG`, `oci://HOST/REPO:TAG`, or None for the CID alone.
        progress: told of the bytes.
        plain_http: allow http with a host that is not this one.

    Raises:
        InputError: a name or a file is wrong.
        VerificationError: the bundle is damaged.
        LackingError: the disk is full, the network or the permission is lacking.
    """
    registry = Registry()
    if name is not None and is_remote(name):
        from kolm_cli.registry.remote.send import send

        target = parse_remote(name)
        with bundle_file(bundle, registry) as path:
            entry = registry.push(path, None, progress).entry
        sent = send(registry, entry, target, progress, plain_http=plain_http)
        return Pushed(entry.cid, entry.digest, sent.refs, sent.written, sent.present)
    tag = None if name is None else parse_tag(name)
    with bundle_file(bundle, registry) as path:
        stored = registry.push(path, tag, progress)
    entry = stored.entry
    refs = (entry.cid,) if tag is None else (entry.cid, str(tag))
    return Pushed(entry.cid, entry.digest, refs, stored.written, stored.present)


def pull(
    reference: str,
    out: Path | None,
    trust: TrustPolicy,
    progress: Progress,
    *,
    allow_untrusted: bool = False,
    plain_http: bool = False,
) -> Pulled:
    """Write a bundle to a file; see `kolm_cli.registry.pull.pull`."""
    registry = Registry()
    if is_remote(reference):
        from kolm_cli.registry.remote.fetch import fetch

        return fetch(
            registry,
            parse_remote(reference),
            out,
            trust,
            progress,
            allow_untrusted=allow_untrusted,
            plain_http=plain_http,
        )
    return local.pull(
        registry,
        named(registry.index(), reference),
        out,
        trust,
        progress,
        allow_untrusted=allow_untrusted,
    )
