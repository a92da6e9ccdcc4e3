"""Adds another signature to a bundle: an auditor's, say. The CID stays what it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kolm_cli.bundle.container.rewrite import with_more
from kolm_cli.bundle.container.zip_writer import Source
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.signing.keys import Signer
from kolm_cli.bundle.signing.sigstore import Envelope, read_envelope
from kolm_cli.bundle.verify import Report
from kolm_cli.core.errors import InputError, Problem


def co_sign(path: Path, signer: Signer, out: Path | None = None) -> Report:
    """Sign the receipt of an intact bundle with a further key.

    Args:
        path: the bundle.
        signer: the further key.
        out: where the result goes; in place by default.

    Raises:
        InputError: this key has signed it already.
        VerificationError: the bundle is not intact.
    """

    def signature(folder: Path, files: frozenset[str]) -> Mapping[str, Source]:
        receipt = read_envelope((folder / layout.RECEIPT).read_bytes())
        own = layout.co_signature_path(signer.key_id)
        if signer.key_id == receipt.key_id or own in files:
            raise InputError(Problem(f"is signed by {signer.key_id} already", str(path)))
        further = [name for name in files if name.startswith(f"{layout.ATTESTATIONS}receipt.")]
        if len(further) > layout.MAX_CO_SIGNATURES:  # the receipt itself is among them
            raise InputError(Problem("has as many signatures as a bundle holds", str(path)))
        payload, key_id = receipt.payload, signer.key_id
        return {
            layout.key_path(key_id): signer.public_pem,
            own: Envelope(payload, signer.sign(payload), key_id, key_id).to_bytes(),
        }

    return with_more(path, signature, out)
