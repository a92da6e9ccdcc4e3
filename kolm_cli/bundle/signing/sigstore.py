"""A DSSE envelope inside a Sigstore bundle v0.3, in the one byte form that kolm writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kolm_cli.bundle.signing import dsse
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import VerificationError

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
MAX_BYTES = 4 << 20


@dataclass(frozen=True)
class Envelope:
    """A signed payload.

    Attributes:
        payload: the bytes that are signed, through their pre-authentication encoding.
        signature: one signature.
        key_id: hex SHA-256 of the signer's public key (SPKI DER).
        hint: how the format names the key; the key id, save in `model.sig`.
    """

    payload: bytes
    signature: bytes
    key_id: str
    hint: str

    def to_bytes(self) -> bytes:
        """The canonical JSON of the Sigstore bundle."""
        signature = {"keyid": self.key_id, "sig": dsse.to_base64(self.signature)}
        return canonical_json.dumps(
            {
                "mediaType": MEDIA_TYPE,
                "verificationMaterial": {"publicKey": {"hint": self.hint}},
                "dsseEnvelope": {
                    "payload": dsse.to_base64(self.payload),
                    "payloadType": dsse.PAYLOAD_TYPE,
                    "signatures": [signature],
                },
            }
        )


def read_envelope(data: bytes) -> Envelope:
    """Read a Sigstore bundle of exactly the form above; its signature is not checked here.

    Raises:
        VerificationError: says what is not of that form.
    """
    value = canonical_json.loads_canonical(data, max_bytes=MAX_BYTES)
    outer = _object(value, "the Sigstore bundle", "mediaType verificationMaterial dsseEnvelope")
    if outer["mediaType"] != MEDIA_TYPE:
        raise VerificationError(f"the media type is {outer['mediaType']!r:.80}, not {MEDIA_TYPE}")
    material = _object(outer["verificationMaterial"], "verificationMaterial", "publicKey")
    public_key = _object(material["publicKey"], "publicKey", "hint")
    envelope = _object(outer["dsseEnvelope"], "the envelope", "payload payloadType signatures")
    if envelope["payloadType"] != dsse.PAYLOAD_TYPE:
        raise VerificationError(f"the payload's type is {envelope['payloadType']!r:.80}")
    signatures = envelope["signatures"]
    if not isinstance(signatures, list) or len(signatures) != 1:
        count = len(signatures) if isinstance(signatures, list) else "no list of"
        raise VerificationError(f"the envelope holds {count} signatures, not one")
    signature = _object(signatures[0], "the signature", "keyid sig")
    return Envelope(
        payload=dsse.from_base64(_text(envelope["payload"], "payload")),
        signature=dsse.from_base64(_text(signature["sig"], "sig")),
        key_id=_text(signature["keyid"], "keyid"),
        hint=_text(public_key["hint"], "hint"),
    )


def _object(value: Any, what: str, keys: str) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != set(keys.split()):
        raise VerificationError(f"{what} has not exactly the keys {', '.join(keys.split())}")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise VerificationError(f"{what} is missing or empty")
    return value
