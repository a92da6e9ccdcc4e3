"""`kolm sign` adds a signature and changes nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from kolm_cli.bundle.signing import keys
from tests.bundle import factory
from tests.bundle.command import kolm
from tests.bundle.forge import files_of


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
