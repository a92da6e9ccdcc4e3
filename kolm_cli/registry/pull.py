"""Takes a bundle out of the local registry, verified unless it is only to be looked at."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.bundle.verify import State
from kolm_cli.core.progress import Progress
from kolm_cli.registry.assemble import assemble, staged, verified
from kolm_cli.registry.index import StoredBundle
from kolm_cli.registry.names import Local
from kolm_cli.registry.oci_image import OciImage
from kolm_cli.registry.store import Registry


@dataclass(frozen=True)
class Pulled:
    """A bundle in a file.

    Attributes:
        path: the file.
        cid: its CID.
        digest: the OCI manifest's.
        state: what the verification found.
    """

    path: Path
    cid: str
    digest: str
    state: State


def pull(
    registry: Registry,
    reference: Local,
    out: Path | None,
    trust: TrustPolicy,
    progress: Progress,
    *,
    allow_untrusted: bool = False,
) -> Pulled:
    """Write a stored bundle to a file, byte for byte as it was pushed.

    Args:
        registry: where it is.
        reference: its name.
        out: the file; the bundle's own name with `.kolm` in the working folder when None.
        trust: whose signatures count.
        progress: told of the bytes.
        allow_untrusted: take what is intact, whoever signed it.

    Raises:
        InputError: there is no such bundle.
        VerificationError: the registry is damaged, or the policy refuses the bundle.
        LackingError: the disk is full.
    """
    with held(registry, reference) as (entry, image):
        target = out or Path(f"{entry.name}.kolm")
        progress.stage("pull", image.total_bytes, "bytes")
        with staged(target) as stream:
            assemble(image, registry.blobs, stream, progress)
            report, _ = verified(stream, target, trust, entry.cid, allow_untrusted=allow_untrusted)
        return Pulled(target, entry.cid, entry.digest, report.state)


def deliver(registry: Registry, reference: Local, target: Path) -> StoredBundle:
    """Write a bundle that this machine made to a file; its digests are checked, and no more.

    Raises:
        InputError: there is no such bundle.
        VerificationError: the registry is damaged.
    """
    with held(registry, reference) as (entry, image), staged(target) as stream:
        assemble(image, registry.blobs, stream)
    return entry


@contextlib.contextmanager
def held(registry: Registry, reference: Local) -> Iterator[tuple[StoredBundle, OciImage]]:
    """A bundle whose blobs no collection removes while the block lasts."""
    if not registry.exists:
        registry.resolve(reference)
    with registry.at_work() as lease:
        with registry.workspace.locked():
            # Under the lock: no removal and collection can come between finding and holding.
            entry = registry.resolve(reference)
            image = registry.image(entry)
            lease.note([entry.hex, *(file.hex for file in image.blobs)])
        yield entry, image
