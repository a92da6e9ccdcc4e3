"""The key that the environment gives: it signs, is not trusted, and is never shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kolm_cli.bundle.signing import keys
from kolm_cli.core.errors import InputError
from tests.bundle import factory
from tests.bundle.command import kolm


def private_pem(key: Any) -> bytes:
    return bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


@pytest.mark.parametrize("form", ["path", "pem", "pem in one line", "sec1"])
def test_the_environments_key_signs_and_is_not_trusted(
    form: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = keys.generate()
    pem = private_pem(own.private)
    if form == "sec1":
        assert isinstance(own.private, ec.EllipticCurvePrivateKey)
        pem = own.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    value = pem.decode()
    if form == "path":
        (tmp_path / "ci.pem").write_bytes(pem)
        value = str(tmp_path / "ci.pem")
    elif form == "pem in one line":
        value = value.replace("\n", "\\n")
    monkeypatch.setenv("KOLM_SIGNING_KEY", value)
    assert keys.signer_for_compile().key_id == own.key_id
    assert not (home / "trust.toml").exists()
    assert not (home / "keys").exists()


@pytest.mark.parametrize(
    "value",
    [
        "-----BEGIN PRIVATE KEY-----\nSECRETSECRETSECRET\n-----END PRIVATE KEY-----\n",
        "/nowhere/SECRETSECRETSECRET",
        "SECRETSECRETSECRET\0",
        "~nobody/SECRETSECRETSECRET",
    ],
)
def test_a_wrong_key_in_the_environment_is_never_shown(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = factory.make_bundle(tmp_path / "a.kolm").path
    if "\0" not in value:
        monkeypatch.setenv("KOLM_SIGNING_KEY", value)
        said = kolm("sign", str(bundle), "--json", code=2)
        assert "KOLM_SIGNING_KEY" in said
        assert "SECRETSECRETSECRET" not in said
    with pytest.raises(InputError) as caught:
        keys._from_environment(value, None)
    assert "SECRETSECRETSECRET" not in f"{caught.value}{caught.value.__cause__}"


def test_a_key_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)):
        monkeypatch.setenv("KOLM_SIGNING_KEY", private_pem(key).decode())
        with pytest.raises(InputError, match="neither an ECDSA P-256 nor an Ed25519"):
            keys.signer_for_compile()
