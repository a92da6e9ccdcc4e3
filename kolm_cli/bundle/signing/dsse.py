"""DSSE: what exactly is signed, and an envelope's signature (secure-systems-lab/dsse, v1)."""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from kolm_cli.core.errors import VerificationError

PAYLOAD_TYPE = "application/vnd.in-toto+json"
# The order of the P-256 group (SEC 2, secp256r1).
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def pae(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """The pre-authentication encoding: the bytes that are signed."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(key: PrivateKey, payload: bytes) -> bytes:
    """The signature of `payload`: DER with a low S for P-256, 64 bytes for Ed25519."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(pae(payload))
    r, s = decode_dss_signature(key.sign(pae(payload), ec.ECDSA(hashes.SHA256())))
    # (r, n - s) verifies too; only the smaller of the two is written and accepted.
    return encode_dss_signature(r, min(s, P256_ORDER - s))


def verify(key: PublicKey, payload: bytes, signature: bytes) -> None:
    """Check a signature of `payload`.

    Raises:
        VerificationError: it is wrong, or not in the one form that is accepted.
    """
    if isinstance(key, ec.EllipticCurvePublicKey):
        _check_form(signature)
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, pae(payload))
        else:
            key.verify(signature, pae(payload), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise VerificationError("the signature does not fit the payload and the key") from error


def _check_form(signature: bytes) -> None:
    try:
        r, s = decode_dss_signature(signature)
    except ValueError as error:
        raise VerificationError("the signature is not a DER pair of integers") from error
    if encode_dss_signature(r, s) != signature:
        raise VerificationError("the signature is not in DER's one form")
    if not 0 < s <= P256_ORDER // 2:
        raise VerificationError("the signature has a high S: it is another's mirror image")


def to_base64(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str) -> bytes:
    """Decode base64, accepting the one form that `to_base64` writes.

    Raises:
        VerificationError: another alphabet, missing padding, white space or stray bits.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise VerificationError("not base64") from error
    if to_base64(data) != text:
        raise VerificationError("not canonical base64")
    return data
