"""Public keys: their one PEM form, and the id that names them everywhere."""

from __future__ import annotations

import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from kolm_cli.bundle.signing.dsse import PublicKey
from kolm_cli.core.digests import sha256_bytes
from kolm_cli.core.errors import VerificationError

KEY_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)
# What comes before the 32 bytes of an Ed25519 key in SubjectPublicKeyInfo (RFC 8410, 4).
_ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")
# The field of Ed25519 (RFC 8032, 5.1), and the y of two of its four points of order 8.
_P = 2**255 - 19
_Y8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
# y decides the order: 1 is the identity's, -1 order 2's, 0 order 4's.
_LOW_ORDER_Y = frozenset({0, 1, _P - 1, _Y8, _P - _Y8})


def key_id(key: PublicKey) -> str:
    """Hex SHA-256 of the key's SubjectPublicKeyInfo in DER."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return sha256_bytes(der)


def to_pem(key: PublicKey) -> bytes:
    """The key as PEM (SubjectPublicKeyInfo), as openssl writes it."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def algorithm(key: PublicKey) -> str:
    """What people call it."""
    return "ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else "ecdsa-p256"


def from_pem(data: bytes) -> PublicKey:
    """Read a public key of an accepted kind, in the one form that `to_pem` writes.

    Raises:
        VerificationError: it is another kind of key, or written in another way.
    """
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise VerificationError("not a public key in PEM") from error
    if not _accepted(key):
        raise VerificationError("neither an ECDSA P-256 nor an Ed25519 key")
    if isinstance(key, ed25519.Ed25519PublicKey) and is_low_order(key.public_bytes_raw()):
        raise VerificationError("a low-order Ed25519 key: anybody can sign with it")
    assert isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey)  # noqa: S101
    if to_pem(key) != data:
        raise VerificationError("not the canonical PEM of its key")
    return key


def is_low_order(raw: bytes) -> bool:
    """Whether an Ed25519 public key is one of the eight points of small order, however encoded.

    Under such a key, signatures that fit any message can be made without a private key.

    Args:
        raw: the 32 bytes of RFC 8032: y, little-endian, and the sign of x in the highest bit. A y
            of the field's prime or more is not canonical, but some implementations take it.
    """
    return (int.from_bytes(raw, "little") & (2**255 - 1)) % _P in _LOW_ORDER_Y


def low_order_ids() -> frozenset[str]:
    """The key ids of all encodings of low-order keys, so that none is trusted by its id."""
    found = set()
    for y in (*_LOW_ORDER_Y, _P, _P + 1):
        for sign in (0, 1 << 255):
            raw = (y | sign).to_bytes(32, "little")
            found.add(sha256_bytes(_ED25519_SPKI + raw))
    return frozenset(found)


def _accepted(key: object) -> bool:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return isinstance(key.curve, ec.SECP256R1)
    return isinstance(key, ed25519.Ed25519PublicKey)
