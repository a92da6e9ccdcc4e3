"""Adds another signature to a bundle: an auditor's, say. The CID stays what it is."""

from __future__ import annotations

import tempfile
from pathlib import Path

from kolm_cli.bundle.container.open_bundle import open_bundle
from kolm_cli.bundle.container.unpack import unpack
from kolm_cli.bundle.container.zip_writer import Source, write_archive
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
    target = out or path
    with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".kolm-sign-") as name:
        folder = Path(name)
        report = unpack(path, folder)
        files: dict[str, Source] = {
            str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_file()
        }
        receipt = read_envelope((folder / layout.RECEIPT).read_bytes())
        own = layout.co_signature_path(signer.key_id)
        if signer.key_id == receipt.key_id or own in files:
            raise InputError(Problem(f"is signed by {signer.key_id} already", str(path)))
        if sum(name.endswith(".pem") for name in files) > layout.MAX_CO_SIGNATURES:
            raise InputError(Problem("has as many signatures as a bundle holds", str(path)))
        payload, key_id = receipt.payload, signer.key_id
        files[layout.key_path(key_id)] = signer.public_pem
        files[own] = Envelope(payload, signer.sign(payload), key_id, key_id).to_bytes()
        write_archive(target, files)
    with open_bundle(target) as signed:
        assert signed.cid == report.cid  # noqa: S101  # the manifest was copied as it is
    return report
