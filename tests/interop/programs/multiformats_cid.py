"""Prints the CID of a file, as the multiformats library computes it."""

import sys
from pathlib import Path

from multiformats import CID, multihash

digest = multihash.digest(Path(sys.argv[1]).read_bytes(), "sha2-256")
print(CID("base32", 1, "raw", digest))
