"""`kolm keys`: new, list, show, export, rotate, revoke."""

from __future__ import annotations

import json
from pathlib import Path

from kolm_cli.bundle.signing import keys
from tests.bundle import factory
from tests.bundle.command import kolm


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
    assert "is revoked" in kolm("trust", "add", old.key_id, "--name", "*", code=2)
    kolm("verify", bundle, code=4)


def test_revoke_somebody_elses_key(home: Path, tmp_path: Path) -> None:
    other = keys.generate()
    bundle = str(factory.make_bundle(tmp_path / "a.kolm", other).path)
    kolm("trust", "add", other.key_id, "--name", "*")
    kolm("verify", bundle)
    kolm("keys", "revoke", other.key_id)
    assert "is revoked" in kolm("verify", bundle, code=4)
