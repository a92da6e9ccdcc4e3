"""Keys under a passphrase."""

from __future__ import annotations

from pathlib import Path

import pytest

from kolm_cli.bundle.signing import keys
from kolm_cli.core.errors import InputError
from tests.bundle import factory
from tests.bundle.command import kolm


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
