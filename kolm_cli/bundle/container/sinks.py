"""What is kept of a file while the bundle streams by."""

from __future__ import annotations

from typing import BinaryIO

from kolm_cli.bundle.container.zip_reader import ByteSink
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.finite import Finite
from kolm_cli.bundle.format.safetensors_header import Span, read_spans
from kolm_cli.core.errors import VerificationError


class Keep:
    """Holds the whole content; the reader has bounded its size by its kind."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: memoryview) -> None:
        """Add a piece."""
        self.data += data

    def close(self) -> None:
        """Nothing is left to do."""


class Tensors:
    """Reads the header of a safetensors file, and looks at the weights as they pass.

    Attributes:
        spans: the tensors, in the order of their bytes.
        problem: what is wrong with the file; the rest is then not looked at.
    """

    def __init__(self, size: int) -> None:
        self.spans: list[Span] = []
        self.problem = ""
        self._size = size
        self._header = bytearray()
        self._wanted = 8
        self._finite: Finite | None = None

    def write(self, data: memoryview) -> None:
        """Take what belongs to the header, and look at the rest."""
        while data and not self.problem and self._finite is None:
            missing = self._wanted - len(self._header)
            self._header += data[:missing]
            data = data[missing:]
            if len(self._header) == self._wanted:
                self._step()
        if self._finite is not None and not self.problem:
            self.problem = self._finite.feed(bytes(data))

    def _step(self) -> None:
        """The length is whole, or the header is."""
        if self._wanted == 8:
            length = int.from_bytes(self._header, "little")
            if length > layout.MAX_SAFETENSORS_HEADER:
                self.problem = f"the header claims {length} bytes"
            self._wanted = 8 + length
            if length:
                return
        try:
            self.spans = read_spans(bytes(self._header), self._size)
        except VerificationError as error:
            self.problem = self.problem or str(error)
        self._finite = Finite(self.spans)

    def close(self) -> None:
        """Note when the file ended inside its header."""
        if not self.problem and self._finite is None:
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
