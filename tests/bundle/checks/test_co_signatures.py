"""Further signatures: of the receipt only, each by another key, each in its place."""

from __future__ import annotations

from pathlib import Path

from kolm_cli.bundle.format import layout
from kolm_cli.bundle.signing import keys
from tests.bundle.checks.attested import RECEIPT, Files, repacked
from tests.bundle.forge import (
    assert_refused,
    envelope,
    good,
    payload_of,
)


def co_signed(path: Path, auditor: keys.Signer, payload: bytes | None = None) -> None:
    def change(files: Files) -> Files:
        signed = payload_of(files[RECEIPT]) if payload is None else payload
        return {
            **files,
            layout.key_path(auditor.key_id): auditor.public_pem,
            layout.co_signature_path(auditor.key_id): envelope(signed, auditor),
        }

    repacked(path, change)


def test_a_further_signature_of_something_else(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    co_signed(path, keys.generate(), b"{}")
    assert_refused(path, signer, "signatures", "signs something else than the receipt")


def test_a_further_signature_by_the_same_key(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    co_signed(path, signer)
    assert_refused(path, signer, "signatures", "is not where a signature by")


def test_a_further_signature_under_another_keys_name(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    auditor, other = keys.generate(), keys.generate()
    co_signed(path, auditor)

    def change(files: Files) -> Files:
        data = files.pop(layout.co_signature_path(auditor.key_id))
        return {**files, layout.co_signature_path(other.key_id): data}

    repacked(path, change)
    assert_refused(path, signer, "signatures", "is not where a signature by")
