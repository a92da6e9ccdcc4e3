"""Keys at home: made private, trusted only when made, never shown."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.trust.file import load_policy
from kolm_cli.core.errors import InputError
from tests.bundle.command import kolm


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


def test_a_signer_does_not_show_its_key() -> None:
    assert repr(keys.generate()) == "Signer()"


def test_a_key_that_others_can_read_is_refused(home: Path) -> None:
    signer = keys.signer_for_compile()
    path = home / "keys" / f"{signer.key_id}.pem"
    path.chmod(0o644)
    with pytest.raises(InputError, match="others than you can read"):
        keys.signer_for_compile()


def test_two_first_uses_at_once_make_one_key(home: Path) -> None:
    program = "from kolm_cli.bundle.signing import keys; print(keys.signer_for_compile().key_id)"
    running = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert len({process.communicate()[0] for process in running}) == 1
    assert len(load_policy().keys) == 1
