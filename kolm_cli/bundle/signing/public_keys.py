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
    assert isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey)  # noqa: S101
    if to_pem(key) != data:
        raise VerificationError("not the canonical PEM of its key")
    return key


def _accepted(key: object) -> bool:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return isinstance(key.curve, ec.SECP256R1)
    return isinstance(key, ed25519.Ed25519PublicKey)
