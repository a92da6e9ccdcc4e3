"""Keys that came with a bundle: none is trusted for being there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kolm_cli.bundle.format import layout
from kolm_cli.bundle.signing import keys
from tests.bundle import factory
from tests.bundle.checks.attested import Files, edited_file, key_file, remove, repacked, signature
from tests.bundle.forge import (
    assert_refused,
    good,
    verdict,
)


def test_the_key_inside_is_never_trusted(tmp_path: Path) -> None:
    path, _ = good(tmp_path / "a.kolm")
    code, report = verdict(path)
    assert code == 4
    assert report["state"] == "untrusted"
    assert [c["name"] for c in report["checks"] if c["ok"] is False] == ["policy"]
    assert verdict(path, arguments=["--allow-untrusted"])[0] == 0


def test_resigned_by_a_stranger(tmp_path: Path) -> None:
    """An attacker signs everything anew with a key of his own: intact, and not trusted."""
    signer, stranger = keys.generate(), keys.generate()
    path = factory.make_bundle(tmp_path / "a.kolm", stranger).path
    code, report = verdict(path, signer)
    assert (code, report["state"]) == (4, "untrusted")


def test_signed_by_a_stranger_under_a_trusted_name(tmp_path: Path) -> None:
    """The file's name and the key id say trusted, the key in it is another."""
    signer, stranger = keys.generate(), keys.generate()
    path = factory.make_bundle(tmp_path / "a.kolm", stranger).path

    def change(files: Files) -> Files:
        pem = files.pop(key_file(files))
        return {**files, layout.key_path(signer.key_id): pem}

    repacked(path, change)
    assert_refused(path, signer, "signatures", f"holds the key {stranger.key_id}")


def test_a_trusted_key_beside_a_strangers_signature(tmp_path: Path) -> None:
    signer, stranger = keys.generate(), keys.generate()
    path = factory.make_bundle(tmp_path / "a.kolm", stranger).path
    repacked(path, lambda f: {**f, layout.key_path(signer.key_id): signer.public_pem})
    assert_refused(path, signer, "signatures", f"{layout.key_path(signer.key_id)} signed nothing")


def test_a_claimed_key_id_without_its_signature(tmp_path: Path) -> None:
    signer, stranger = keys.generate(), keys.generate()
    path = factory.make_bundle(tmp_path / "a.kolm", stranger).path

    def change(files: Files) -> Files:
        for name in [n for n in files if n.endswith(".sigstore.json")]:
            files = signature(lambda v: v.update(keyid=signer.key_id), name)(files)
            files = edited_file(
                name,
                lambda v: v["verificationMaterial"]["publicKey"].update(hint=signer.key_id),
            )(files)
        files.pop(key_file(files))
        return {**files, layout.key_path(signer.key_id): signer.public_pem}

    repacked(path, change)
    assert_refused(path, signer, "signatures", "does not fit the payload and the key")


@pytest.mark.parametrize("kind", ["p384", "rsa", "text", "with a comment", "private"])
def test_a_key_of_another_kind(kind: str, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")

    def pem_of(key: Any) -> bytes:
        return bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    data = {
        "p384": lambda: pem_of(ec.generate_private_key(ec.SECP384R1())),
        "rsa": lambda: pem_of(rsa.generate_private_key(65537, 2048)),
        "text": lambda: b"hello",
        "with a comment": lambda: b"# mine\n" + signer.public_pem,
        "private": lambda: b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    }[kind]()
    repacked(path, lambda f: {**f, key_file(f): data})
    assert_refused(path, signer, "signatures", ".pem: n")


def test_no_key(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    repacked(path, lambda f: remove(key_file(f))(f))
    assert_refused(path, signer, "signatures", "there is no key")
