"""Add a signature to a bundle, in its file or in the registry."""

from __future__ import annotations

from pathlib import Path

from kolm_cli.bundle.signing.co_sign import co_sign
from kolm_cli.bundle.signing.keys import Signer
from kolm_cli.bundle.verify import Report
from kolm_cli.core.progress import Silent
from kolm_cli.registry.bundle_file import bundle_file, is_path
from kolm_cli.registry.index import named
from kolm_cli.registry.names import Tag
from kolm_cli.registry.store import Registry


def sign(bundle: str, signer: Signer, out: Path | None) -> Report:
    """Add a signature to a bundle, where it is or in another file.

    Args:
        bundle: a file, or a name in the local registry: what is signed is then stored there, and
            the tag, when it was named by one, moves to it.
        signer: the further key.
        out: a file for the result; the bundle itself stays as it is.

    Raises:
        InputError: there is no such bundle, or this key has signed it already.
        VerificationError: it is not intact.
    """
    registry = Registry()
    with bundle_file(bundle, registry) as path:
        report = co_sign(path, signer, out)
        if out is None and not is_path(bundle):
            reference = named(registry.index(), bundle)
            registry.push(path, reference if isinstance(reference, Tag) else None, Silent())
    return report
