"""Ed25519 keys under which anybody can sign are no keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kolm_cli.bundle.signing import public_keys
from kolm_cli.core.errors import VerificationError
from tests.bundle.signing.low_order import LOW, low_order_points
from tests.support.jobs import Job


def test_there_are_eight_points_in_fourteen_encodings() -> None:
    assert len(low_order_points()) == 8
    assert len(set(LOW)) == 14
    assert {public_keys.key_id(Ed25519PublicKey.from_public_bytes(raw)) for raw in LOW} == (
        public_keys.low_order_ids()
    )


def test_one_signature_fits_any_message_under_such_a_key() -> None:
    """Why: with the neutral element as key, R = S = neutral holds for whatever was signed."""
    neutral = (1).to_bytes(32, "little")
    key = Ed25519PublicKey.from_public_bytes(neutral)
    for message in (b"a", b"b"):
        key.verify(neutral + bytes(32), message)


@pytest.mark.parametrize("raw", LOW, ids=[raw.hex()[:8] + raw.hex()[-2:] for raw in LOW])
def test_each_is_refused(raw: bytes) -> None:
    pem = public_keys.to_pem(Ed25519PublicKey.from_public_bytes(raw))
    with pytest.raises(VerificationError, match="low-order"):
        public_keys.from_pem(pem)


def test_real_keys_are_not() -> None:
    for _ in range(50):
        public = Ed25519PrivateKey.generate().public_key()
        assert not public_keys.is_low_order(public.public_bytes_raw())
        assert public_keys.from_pem(public_keys.to_pem(public))


def test_trust_add_refuses_the_file_and_the_id(tmp_path: Path) -> None:
    job = Job(tmp_path)
    key = Ed25519PublicKey.from_public_bytes(LOW[0])
    (tmp_path / "low.pem").write_bytes(public_keys.to_pem(key))
    for given in ("low.pem", public_keys.key_id(key)):
        done = job.kolm("trust", "add", given, "--name", "*")
        assert done.code == 2
        assert "low-order" in done.err
    assert not (job.home / "trust.toml").exists()
