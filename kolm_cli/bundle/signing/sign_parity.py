"""Signs into a bundle what was found about a server. The CID stays what it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kolm_cli.bundle.container.rewrite import with_more
from kolm_cli.bundle.container.zip_writer import Source
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.manifest import read_manifest
from kolm_cli.bundle.format.parity import Parity
from kolm_cli.bundle.signing.keys import Signer
from kolm_cli.bundle.signing.sigstore import Envelope, read_envelope
from kolm_cli.bundle.verify import Report
from kolm_cli.core import digests
from kolm_cli.core.errors import InputError, Problem


def sign_parity(
    path: Path, parity: Parity, signer: Signer, *, cid: str, out: Path | None = None
) -> Report:
    """Add a parity statement to an intact bundle.

    Args:
        path: the bundle.
        parity: what was found.
        signer: who says so; need not be who compiled it.
        cid: the bundle of which it was found.
        out: where the result goes; in place by default.

    Raises:
        InputError: it has as many statements as a bundle holds.
        VerificationError: the bundle is not intact, or another one.
    """

    def statement(folder: Path, files: frozenset[str]) -> Mapping[str, Source]:
        before = [name for name in files if name.startswith(f"{layout.ATTESTATIONS}parity.")]
        if len(before) >= layout.MAX_PARITY_STATEMENTS:
            raise InputError(Problem("has as many parity statements as a bundle holds", str(path)))
        receipt = read_envelope((folder / layout.RECEIPT).read_bytes())
        manifest = read_manifest((folder / layout.MANIFEST).read_bytes())
        payload = parity.statement(manifest, digests.sha256_bytes(receipt.payload))
        key_id = signer.key_id
        signed = Envelope(payload, signer.sign(payload), key_id, key_id)
        return {
            layout.key_path(key_id): signer.public_pem,
            layout.parity_path(digests.sha256_bytes(payload)): signed.to_bytes(),
        }

    return with_more(path, statement, out, cid=cid)
