"""SHA-256 digests, and the content identifier (CID) of a bundle."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any, BinaryIO

from kolm_cli.core import canonical_json

CHUNK = 1 << 20
# CIDv1, codec raw (0x55), multihash sha2-256 (0x12) of 32 bytes (0x20).
_CID_PREFIX = bytes([0x01, 0x55, 0x12, 0x20])


def sha256_bytes(data: bytes) -> str:
    """Lower-case hex SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def sha256_stream(stream: BinaryIO) -> str:
    """Lower-case hex SHA-256 of what is left to read in `stream`."""
    digest = hashlib.sha256()
    while chunk := stream.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def sha256_file(path: Path) -> str:
    """Lower-case hex SHA-256 of the file at `path`."""
    with path.open("rb") as stream:
        return sha256_stream(stream)


def sha256_json(value: Any) -> str:
    """SHA-256 of the canonical JSON of `value`."""
    return sha256_bytes(canonical_json.dumps(value))


def cid_from_digest(sha256_hex: str) -> str:
    """The CID of content with this SHA-256: CIDv1, raw, base32 lower case without padding."""
    raw = _CID_PREFIX + bytes.fromhex(sha256_hex)
    return "b" + base64.b32encode(raw).decode("ascii").lower().rstrip("=")


def cid(data: bytes) -> str:
    """The CID of `data`; for a bundle, `data` is the bytes of `manifest.json`."""
    return cid_from_digest(sha256_bytes(data))


def digest_from_cid(text: str) -> str:
    """The SHA-256 (hex) inside a CID of the one form that kolm writes.

    Raises:
        ValueError: `text` is shortened, of another version, codec or base, or not canonical.
    """
    body = text[1:].upper()
    try:
        raw = base64.b32decode(body + "=" * (-len(body) % 8))
    except ValueError as error:
        raise ValueError(f"{text!r} is not a CID") from error
    if raw[:4] != _CID_PREFIX or len(raw) != 36 or cid_from_digest(raw[4:].hex()) != text:
        raise ValueError(f"{text!r} is not a CIDv1 of codec raw with a whole sha2-256")
    return raw[4:].hex()


def is_cid(text: str) -> bool:
    """Whether `text` is a whole CID of the form that kolm writes."""
    try:
        digest_from_cid(text)
    except ValueError:
        return False
    return True
