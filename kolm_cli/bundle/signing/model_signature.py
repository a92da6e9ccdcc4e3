"""`attestations/model.sig`: the same files signed once more, as OpenSSF model signing does it.

Source: github.com/sigstore/model-transparency, `model_signing._signing.signing.Payload` of 1.1.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.statement import STATEMENT_TYPE
from kolm_cli.core import canonical_json
from kolm_cli.core.digests import sha256_bytes

PREDICATE_TYPE = "https://model_signing/signature/v1.0"


def model_payload(name: str, sha256: Mapping[str, str]) -> bytes:
    """The payload over every file but the attestations.

    Args:
        name: the bundle's name.
        sha256: path to hex digest, `manifest.json` among them.
    """
    root = hashlib.sha256()
    resources = []
    for path in sorted(sha256):
        root.update(bytes.fromhex(sha256[path]))
        resources.append({"name": path, "algorithm": "sha256", "digest": sha256[path]})
    return canonical_json.dumps(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": root.hexdigest()}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "serialization": {
                    "method": "files",
                    "hash_type": "sha256",
                    "allow_symlinks": False,
                    # So that an auditor's signature can be added without breaking this one.
                    "ignore_paths": [layout.ATTESTATIONS.rstrip("/")],
                },
                "resources": resources,
            },
        }
    )


def model_hint(public_pem: bytes) -> str:
    """How that format names a key: hex SHA-256 of its PEM, not of its DER."""
    return sha256_bytes(public_pem)
