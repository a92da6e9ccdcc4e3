"""Keys: made private, trusted only when made, overridden by the environment, never shown."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from kolm_cli.bundle.signing import dsse, keys
from kolm_cli.bundle.trust.file import load_policy
from kolm_cli.core.errors import InputError
from tests.bundle import factory
from tests.bundle.forge import files_of

KOLM = str(Path(sys.executable).with_name("kolm"))


def kolm(*arguments: str, code: int = 0) -> str:
    """Runs the real command; returns what it wrote to standard output."""
    done = subprocess.run([KOLM, *arguments], capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stdout + done.stderr


def private_pem(key: Any) -> bytes:
    return bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_first_use_makes_a_private_key_and_trusts_it(home: Path) -> None:
    signer = keys.signer_for_compile()
    path = home / "keys" / f"{signer.key_id}.pem"
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700
    assert b"BEGIN PRIVATE KEY" in path.read_bytes()
    assert [key.id for key in load_policy().keys] == [signer.key_id]
    assert keys.signer_for_compile().key_id == signer.key_id


def test_a_key_that_was_taken_off_the_trust_file_is_not_put_back(home: Path) -> None:
    signer = keys.signer_for_compile()
    kolm("trust", "remove", signer.key_id)
    assert keys.signer_for_compile().key_id == signer.key_id
    assert load_policy().keys == ()


def test_the_key_id_is_what_openssl_and_sha256sum_say(home: Path) -> None:
    signer = keys.signer_for_compile()
    public = home / "keys" / f"{signer.key_id}.pub.pem"
    command = f"openssl pkey -pubin -in {public} -outform DER | sha256sum"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)  # noqa: S602
    assert done.stdout.split()[0] == signer.key_id


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


def test_a_signer_does_not_show_its_key() -> None:
    assert repr(keys.generate()) == "Signer()"


def test_a_key_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)):
        monkeypatch.setenv("KOLM_SIGNING_KEY", private_pem(key).decode())
        with pytest.raises(InputError, match="neither an ECDSA P-256 nor an Ed25519"):
            keys.signer_for_compile()


def test_a_key_that_others_can_read_is_refused(home: Path) -> None:
    signer = keys.signer_for_compile()
    path = home / "keys" / f"{signer.key_id}.pem"
    path.chmod(0o644)
    with pytest.raises(InputError, match="others than you can read"):
        keys.signer_for_compile()


def test_a_passphrase(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLM_KEY_PASSPHRASE", "correct horse")
    key_id = kolm("keys", "new", "--passphrase").strip()
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in (home / "keys" / f"{key_id}.pem").read_bytes()
    bundle = str(factory.make_bundle(tmp_path / "a.kolm").path)
    monkeypatch.setenv("KOLM_KEY_PASSPHRASE", "wrong horse")
    said = kolm("sign", bundle, code=2)
    assert "the passphrase is wrong" in said
    assert "wrong horse" not in said
    monkeypatch.delenv("KOLM_KEY_PASSPHRASE")
    assert "set KOLM_KEY_PASSPHRASE" in kolm("sign", bundle, code=2)
    monkeypatch.setenv("KOLM_KEY_PASSPHRASE", "correct horse")
    assert key_id in kolm("sign", bundle)


def test_a_passphrase_is_asked_for(home: Path) -> None:
    store = keys.create(passphrase="tell me")
    assert keys.load(store.key_id, lambda: "tell me").key_id == store.key_id
    with pytest.raises(InputError, match="the passphrase is wrong"):
        keys.load(store.key_id, lambda: "no")


def test_a_new_passphrase_is_typed_twice(home: Path) -> None:
    from typer.testing import CliRunner

    from kolm_cli.cli.app import build_app

    command = ["keys", "new", "--passphrase"]
    done = CliRunner().invoke(build_app(), command, input="one\ntwo\nthree\nthree\n")
    assert done.exit_code == 0
    key_id = done.stdout.strip().splitlines()[-1]
    assert keys.load(key_id, lambda: "three").key_id == key_id


def test_new_list_show_export(home: Path, tmp_path: Path) -> None:
    first = kolm("keys", "new").strip()
    second = json.loads(kolm("keys", "new", "--kind", "ed25519", "--no-trust", "--json"))
    assert second["algorithm"] == "ed25519"
    listed = json.loads(kolm("keys", "list", "--json"))
    assert [(k["id"], k["algorithm"], k["state"]) for k in listed] == [
        (first, "ecdsa-p256", "default"),
        (second["id"], "ed25519", "active"),
    ]
    assert [line.split()[0] for line in kolm("keys", "list").splitlines()[1:]] == [
        first,
        second["id"],
    ]
    assert json.loads(kolm("keys", "show", "--json"))["trusted_for"] == ["*"]
    shown = kolm("keys", "show", second["id"][:10])
    assert f"id           {second['id']}" in shown
    assert "trusted for  nothing" in shown
    pem = kolm("keys", "export")
    assert pem.encode() == keys.load(first).public_pem
    assert "PRIVATE" not in pem
    kolm("keys", "export", second["id"], "--out", str(tmp_path / "k.pem"))
    assert (tmp_path / "k.pem").read_bytes() == keys.load(second["id"]).public_pem
    assert "at least 8 digits" in kolm("keys", "show", first[:4], code=2)
    assert "you have no such key" in kolm("keys", "show", "0" * 12, code=2)


def test_without_a_key_the_command_to_make_one_is_named(home: Path) -> None:
    assert "kolm keys new" in kolm("keys", "show", code=2)


def test_rotate_keeps_trust_and_retires_the_private_key(home: Path, tmp_path: Path) -> None:
    old = keys.signer_for_compile()
    bundle = str(factory.make_bundle(tmp_path / "a.kolm", old).path)
    new = kolm("keys", "rotate").strip()
    assert keys.signer_for_compile().key_id == new != old.key_id
    kolm("verify", bundle)
    states = {k["id"]: k["state"] for k in json.loads(kolm("keys", "list", "--json"))}
    assert states == {new: "default", old.key_id: "retired"}
    assert "there is no private key" in kolm("sign", bundle, "--key", old.key_id, code=2)


def test_revoke_distrusts_what_was_signed_before(home: Path, tmp_path: Path) -> None:
    old = keys.signer_for_compile()
    bundle = str(factory.make_bundle(tmp_path / "a.kolm", old).path)
    kolm("verify", bundle)
    kolm("keys", "revoke", old.key_id[:12])
    assert "is revoked" in kolm("verify", bundle, code=4)
    assert keys.signer_for_compile().key_id != old.key_id
    # A later grant does not bring it back.
    kolm("trust", "add", old.key_id, "--name", "*")
    kolm("verify", bundle, code=4)


def test_revoke_somebody_elses_key(home: Path, tmp_path: Path) -> None:
    other = keys.generate()
    bundle = str(factory.make_bundle(tmp_path / "a.kolm", other).path)
    kolm("trust", "add", other.key_id, "--name", "*")
    kolm("verify", bundle)
    kolm("keys", "revoke", other.key_id)
    assert "is revoked" in kolm("verify", bundle, code=4)


def test_two_first_uses_at_once_make_one_key(home: Path) -> None:
    program = "from kolm_cli.bundle.signing import keys; print(keys.signer_for_compile().key_id)"
    running = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert len({process.communicate()[0] for process in running}) == 1
    assert len(load_policy().keys) == 1


# --- kolm sign ---------------------------------------------------------------------------------


def test_sign_adds_a_signature_and_keeps_the_cid(home: Path, tmp_path: Path) -> None:
    maker, auditor = keys.generate(), keys.signer_for_compile()
    built = factory.make_bundle(tmp_path / "a.kolm", maker)
    before = files_of(built.path)
    said = json.loads(kolm("sign", str(built.path), "--json"))
    assert said == {"bundle": str(built.path), "cid": built.cid, "signed_by": auditor.key_id}
    after = files_of(built.path)
    assert {k: v for k, v in after.items() if k in before} == before
    assert set(after) - set(before) == {
        f"attestations/{auditor.key_id}.pem",
        f"attestations/receipt.{auditor.key_id}.sigstore.json",
    }
    report = json.loads(kolm("verify", str(built.path), "--json"))
    assert (report["state"], report["cid"]) == ("trusted", built.cid)
    receipt = kolm("receipt", str(built.path))
    assert maker.key_id in receipt
    assert auditor.key_id in receipt
    assert "signed by" in kolm("sign", str(built.path), code=2)
    assert not list(tmp_path.glob(".kolm-sign-*"))


def test_sign_elsewhere_leaves_the_original(home: Path, tmp_path: Path) -> None:
    built = factory.make_bundle(tmp_path / "a.kolm")
    before = built.path.read_bytes()
    kolm("sign", str(built.path), "--out", str(tmp_path / "b.kolm"))
    assert built.path.read_bytes() == before
    kolm("verify", str(tmp_path / "b.kolm"))


def test_sign_refuses_what_is_damaged(home: Path, tmp_path: Path) -> None:
    path = factory.make_bundle(tmp_path / "a.kolm").path
    path.write_bytes(path.read_bytes()[:-1])
    before = path.read_bytes()
    assert "container" in kolm("sign", str(path), code=4)
    assert path.read_bytes() == before


# --- signatures --------------------------------------------------------------------------------

_SIGNER = keys.generate()


@given(payload=st.binary(max_size=64))
def test_every_signature_has_a_low_s_and_verifies(payload: bytes) -> None:
    signature = _SIGNER.sign(payload)
    assert decode_dss_signature(signature)[1] <= dsse.P256_ORDER // 2
    dsse.verify(_SIGNER.public, payload, signature)


@given(data=st.binary(max_size=64))
def test_base64_goes_both_ways(data: bytes) -> None:
    assert dsse.from_base64(dsse.to_base64(data)) == data


def test_the_pre_authentication_encoding_is_the_specifications_example() -> None:
    """The test vector of github.com/secure-systems-lab/dsse, protocol.md."""
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert dsse.pae(b"hello world", "http://example.com/HelloWorld") == expected
