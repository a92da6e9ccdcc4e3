"""`kolm trust`, and `kolm verify` under a trust file."""

from __future__ import annotations

import json
from pathlib import Path

from tests.bundle.command import kolm
from tests.bundle.forge import good
from tests.bundle.trust.helpers import ID


def test_a_wrong_trust_file_is_exit_2(tmp_path: Path) -> None:
    path, _ = good(tmp_path / "a.kolm")
    (tmp_path / "t.toml").write_text("x = 1\n")
    assert "there is no setting 'x'" in kolm(
        "verify", str(path), "--trust", str(tmp_path / "t.toml"), code=2
    )
    missing = str(tmp_path / "missing.toml")
    assert "there is no such trust file" in kolm("verify", str(path), "--trust", missing, code=2)
    assert "there is no such file" in kolm("verify", str(tmp_path / "none.kolm"), code=2)


def test_verify_makes_nothing_at_home(home: Path, tmp_path: Path) -> None:
    path, _ = good(tmp_path / "a.kolm")
    kolm("verify", str(path), code=4)
    assert not home.exists()


def test_add_list_check_remove(home: Path, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    public = tmp_path / "vendor.pem"
    public.write_bytes(signer.public_pem)
    kolm("verify", str(path), code=4)
    kolm("trust", "add", str(public), "--name", "tiny-*", "--comment", "the vendor")
    kolm("verify", str(path))
    kolm("trust", "check", "tiny-chart", signer.key_id)
    said = kolm("trust", "check", "other", signer.key_id, code=4)
    assert "may sign tiny-*, not other" in said
    listed = json.loads(kolm("trust", "list", "--json"))
    assert [(k["id"], k["names"], k["state"]) for k in listed["keys"]] == [
        (signer.key_id, ["tiny-*"], "trusted")
    ]
    assert "the vendor" in kolm("trust", "list")
    kolm("trust", "add", "ab" * 32, "--name", "tiny-*", "--threshold", "2")
    assert "tiny-* needs 2 trusted signatures" in kolm("trust", "list")
    kolm("verify", str(path), code=4)
    kolm("trust", "remove", signer.key_id)
    assert "does not hold" in kolm("trust", "remove", signer.key_id, code=2)
    assert home.joinpath("trust.toml").stat().st_mode & 0o777 == 0o600


def test_dates_on_the_command_line(home: Path, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    kolm("trust", "add", signer.key_id, "--name", "*", "--valid-until", "2026-01-01")
    assert "expired on 2026-01-01 00:00 UTC" in kolm("verify", str(path), code=4)
    both = ("--valid-from", "2026-02-01", "--valid-until", "2026-01-01")
    assert "is not after" in kolm("trust", "add", ID, "--name", "*", *both, code=2)


def test_wrong_arguments(home: Path, tmp_path: Path) -> None:
    assert "is not a name pattern" in kolm("trust", "add", ID, "--name", "[x]", code=2)
    assert "neither a key id nor a readable file" in kolm(
        "trust", "add", "x", "--name", "*", code=2
    )
    (tmp_path / "x.pem").write_text("hello")
    assert "not a public key" in kolm(
        "trust", "add", str(tmp_path / "x.pem"), "--name", "*", code=2
    )
