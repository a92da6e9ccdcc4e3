"""Ed25519 keys under which anybody can sign are no keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kolm_cli.bundle.signing import public_keys
from kolm_cli.core.errors import VerificationError
from tests.support.jobs import Job

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]


def add(a: Point, b: Point) -> Point:
    """The group law of the twisted Edwards curve (RFC 8032, 5.1)."""
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P
    return x, (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P


def on_curve(y: int) -> list[Point]:
    """The points with this y: x² = (y² - 1) / (d y² + 1)."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    root = pow(square, (P + 3) // 8, P)
    for x in (root, root * pow(2, (P - 1) // 4, P) % P):
        if x * x % P == square:
            return [(x, y), (-x % P, y)]
    return []


def low_order_points() -> set[Point]:
    """All eight, found by multiplying points of any order by the order of the large subgroup."""
    order = 2**252 + 27742317777372353535851937790883648493
    found: set[Point] = set()
    for y in range(2, 60):
        for point in on_curve(y):
            total, power, left = (0, 1), point, order
            while left:
                total = add(total, power) if left & 1 else total
                power, left = add(power, power), left >> 1
            found.add(total)
    return found


def encodings() -> list[bytes]:
    found = []
    for x, y in sorted(low_order_points()):
        # y + p fits into 255 bits only for the smallest; a zero x may be given either sign.
        for written in (y, y + P) if y + P < 2**255 else (y,):
            for sign in {x & 1} if x else {0, 1}:
                found.append((written | sign << 255).to_bytes(32, "little"))
    return found


LOW = encodings()


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
