"""What is kept of a file while the bundle streams by."""

from __future__ import annotations

from typing import BinaryIO

from kolm_cli.bundle.container.zip_reader import ByteSink
from kolm_cli.bundle.format import layout


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


class ToFile:
    """Writes the content to a file, and passes it on to another sink."""

    def __init__(self, stream: BinaryIO, further: ByteSink | None) -> None:
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
