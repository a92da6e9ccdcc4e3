"""Verifies the DSSE envelope in a Sigstore bundle with securesystemslib and a trusted key."""

import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

data = json.loads(Path(sys.argv[1]).read_bytes())["dsseEnvelope"]
public = load_pem_public_key(Path(sys.argv[2]).read_bytes())
key = SSlibKey.from_crypto(public, keyid=data["signatures"][0]["keyid"])
print(sorted(Envelope.from_dict(data).verify([key], threshold=1)))
