"""NaN and infinity in tensors, found while their bytes pass, without any library.

They have all bits of their exponent set; in `F8_E4M3`, which has no infinity, all but the sign.
"""

from __future__ import annotations

from collections.abc import Sequence

from kolm_cli.bundle.format.safetensors_header import DTYPE_BYTES, Span


def _marks(mask: int) -> bytes:
    """Translates a byte to 1 where it has all bits of the mask, else to 0."""
    return bytes(value & mask == mask for value in range(256))


# Where the exponent is in an element: byte, and the bits of it.
_EXPONENTS: dict[str, tuple[tuple[int, bytes], ...]] = {
    "F8_E4M3": ((0, _marks(0x7F)),),
    "F8_E5M2": ((0, _marks(0x7C)),),
    "F16": ((1, _marks(0x7C)),),
    "BF16": ((1, _marks(0x7F)), (0, _marks(0x80))),
    "F32": ((3, _marks(0x7F)), (2, _marks(0x80))),
    "F64": ((7, _marks(0x7F)), (6, _marks(0xF0))),
}


class Finite:
    """Takes the bytes after a header, in pieces.

    Args:
        spans: the tensors, which fill these bytes in this order.
    """

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = iter(spans)
        self._span = next(self._spans, None)
        self._position = 0
        self._rest = b""

    def feed(self, data: bytes) -> str:
        """What is wrong with the next piece; empty when nothing is."""
        while self._span is not None:
            missing = self._span.stop - self._position - len(self._rest)
            piece, data = self._rest + data[:missing], data[missing:]
            width = DTYPE_BYTES[self._span.tensor.dtype]
            whole = len(piece) - len(piece) % width
            if _not_finite(piece[:whole], self._span.tensor.dtype, width):
                return f"the tensor {self._span.name:.120} holds NaN or infinity"
            self._position += whole
            self._rest = piece[whole:]
            if self._position < self._span.stop:
                break
            self._span = next(self._spans, None)
        return ""


def _not_finite(data: bytes, dtype: str, width: int) -> bool:
    marked = None
    for place, marks in _EXPONENTS.get(dtype, ()):
        found = data[place::width].translate(marks)
        if b"\1" not in found:
            return False
        number = int.from_bytes(found, "big")
        marked = number if marked is None else marked & number
    return bool(marked)
