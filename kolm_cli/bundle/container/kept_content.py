"""What is kept of a file while the bundle streams by."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, BinaryIO

from kolm_cli.bundle.container.zip_reader import Sink
from kolm_cli.bundle.format import layout
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import VerificationError

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
# For rows without floats this is the canonical form, at the speed of C.
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)


class Keep:
    """Holds the whole content; the reader has bounded its size by its kind."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: memoryview) -> None:
        """Add a piece."""
        self.data += data

    def close(self) -> None:
        """Nothing is left to do."""


class TensorHeader:
    """Holds the header of a safetensors file, and lets the weights pass."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.problem = ""
        self._wanted = 8

    def write(self, data: memoryview) -> None:
        """Take what belongs to the header."""
        missing = self._wanted - len(self.data)
        if missing <= 0:
            return
        self.data += data[:missing]
        if self._wanted == 8 and len(self.data) == 8:
            length = int.from_bytes(self.data, "little")
            if length > layout.MAX_SAFETENSORS_HEADER:
                self.problem = f"the header claims {length} bytes"
                self._wanted = 0
                return
            self._wanted = 8 + length
            self.write(data[missing:])

    def close(self) -> None:
        """Note when the file ended inside its header."""
        if not self.problem and len(self.data) < self._wanted:
            self.problem = "the file ends inside its header"


class TrainRows:
    """Counts and digests the training rows of `data/train.jsonl`, a line at a time."""

    def __init__(self) -> None:
        self.rows = 0
        self.images: set[str] = set()
        self.problem = ""
        self._digest = hashlib.sha256(b"[")
        self._rest = b""

    @property
    def sha256(self) -> str:
        """The digest of all rows, as `data/dataset.json` names it."""
        whole = self._digest.copy()
        whole.update(b"]")
        return whole.hexdigest()

    def write(self, data: memoryview) -> None:
        """Take the lines that are complete."""
        if self.problem:
            return
        *lines, self._rest = (self._rest + bytes(data)).split(b"\n")
        for line in lines:
            self._line(line)
        if len(self._rest) > layout.MAX_LINE_BYTES:
            self.problem = f"line {self.rows + 1} is longer than {layout.MAX_LINE_BYTES} bytes"

    def close(self) -> None:
        """Note when the last line was not ended."""
        if not self.problem and self._rest:
            self.problem = "the last line has no end"

    def _line(self, line: bytes) -> None:
        if self.problem:
            return
        try:
            row = read_line(line, {"id", "images", "sha256"})
            if not (isinstance(row["sha256"], str) and _SHA256.fullmatch(row["sha256"])):
                raise VerificationError("sha256 is no digest")
        except VerificationError as error:
            self.problem = f"line {self.rows + 1}: {error}"
            return
        self._digest.update(b"," if self.rows else b"")
        self._digest.update(_COMPACT.encode([row["id"], row["sha256"]]).encode())
        self.images.update(row["images"])
        self.rows += 1


def read_line(line: bytes, keys: set[str]) -> dict[str, Any]:
    """One canonical JSON line: exactly `keys`, an `id` and, where it has them, image digests.

    Raises:
        VerificationError: says what is wrong with it.
    """
    value = canonical_json.loads(line, max_bytes=layout.MAX_LINE_BYTES, max_depth=4)
    if not isinstance(value, dict) or set(value) != keys:
        raise VerificationError(f"has not exactly the keys {', '.join(sorted(keys))}")
    if _COMPACT.encode(value).encode("utf-8", "surrogatepass") != line:
        raise VerificationError("not in canonical form (RFC 8785)")
    if not isinstance(value["id"], str) or not value["id"]:
        raise VerificationError("id is missing or empty")
    if "images" in keys:
        images = value["images"]
        if not isinstance(images, list) or not all(
            isinstance(image, str) and _SHA256.fullmatch(image) for image in images
        ):
            raise VerificationError("images is not a list of SHA-256 digests")
    return value


class ToFile:
    """Writes the content to a file, and passes it on to another sink."""

    def __init__(self, stream: BinaryIO, further: Sink | None) -> None:
        self._stream = stream
        self._further = further

    def write(self, data: memoryview) -> None:
        """Write a piece."""
        self._stream.write(data)
        if self._further is not None:
            self._further.write(data)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
        if self._further is not None:
            self._further.close()
