"""Add a signed statement to a bundle, in its file or in the registry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kolm_cli.bundle.signing.co_sign import co_sign
from kolm_cli.bundle.signing.keys import Signer
from kolm_cli.bundle.verify import Report
from kolm_cli.core.progress import Silent
from kolm_cli.registry.bundle_file import bundle_file, is_path
from kolm_cli.registry.index import named
from kolm_cli.registry.names import Tag
from kolm_cli.registry.store import Registry

# Writes a bundle with one statement more, to another file or in place.
Add = Callable[[Path, Path | None], Report]


def sign(bundle: str, signer: Signer, out: Path | None) -> Report:
    """Add a signature to a bundle, where it is or in another file; see `attach`.

    Raises:
        InputError: this key has signed it already.
    """
    return attach(bundle, lambda path, to: co_sign(path, signer, to), out)


def attach(bundle: str, add: Add, out: Path | None) -> Report:
    """Add a statement to a bundle, where it is or in another file.

    Args:
        bundle: a file, or a name in the local registry: what is signed is then stored there, and
            the tag, when it was named by one, moves to it.
        add: writes it.
        out: a file for the result; the bundle itself stays as it is.

    Raises:
        InputError: there is no such bundle.
        VerificationError: it is not intact.
    """
    registry = Registry()
    with bundle_file(bundle, registry) as path:
        report = add(path, out)
        if out is None and not is_path(bundle):
            reference = named(registry.index(), bundle)
            registry.push(path, reference if isinstance(reference, Tag) else None, Silent())
    return report
