"""The header of a safetensors file, read strictly and without any library.

The format is github.com/huggingface/safetensors#format: eight bytes with the length of a JSON
header, the header, and the tensors, which must fill the rest without a gap or an overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from kolm_cli.bundle.format import layout
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import VerificationError

# Bytes of one element. Types with less than a byte an element are not written by kolm.
DTYPE_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64"), 8),
}
MAX_DIMENSIONS = 8


@dataclass(frozen=True)
class Tensor:
    """A tensor as the header describes it."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Span:
    """Where a tensor is, in bytes after the header."""

    start: int
    stop: int
    name: str
    tensor: Tensor


def read_spans(data: bytes, size: int) -> list[Span]:
    """The tensors of a file, in the order of their bytes, without a gap or an overlap.

    Args:
        data: the file up to the end of its header.
        size: bytes of the whole file.

    Raises:
        VerificationError: the header is not exactly what describes `size` bytes of tensors.
    """
    text = data[8:]
    if not text.startswith(b"{"):
        raise VerificationError("the header does not begin with {")
    stripped = text.rstrip(b" ")
    value = canonical_json.loads(stripped, max_bytes=layout.MAX_SAFETENSORS_HEADER, max_depth=4)
    if not isinstance(value, dict):
        raise VerificationError("the header is not an object")
    _metadata(value.pop("__metadata__", {}))
    spans = []
    for name, facts in value.items():
        tensor, start, stop = _tensor(name, facts)
        spans.append(Span(start, stop, name, tensor))
    spans.sort(key=lambda span: (span.start, span.stop, span.name))
    position = 0
    for span in spans:
        if span.start != position:
            kind = "overlaps another" if span.start < position else "leaves a gap before it"
            raise VerificationError(f"the tensor {span.name:.120} {kind}")
        position = span.stop
    if position != size - len(data):
        left = size - len(data)
        raise VerificationError(f"the tensors fill {position} of the {left} bytes after the header")
    return spans


def _metadata(value: Any) -> None:
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise VerificationError("__metadata__ does not map texts to texts")
    if value not in ({}, {"format": "pt"}):
        raise VerificationError("__metadata__ says more than the format")


def _tensor(name: str, facts: Any) -> tuple[Tensor, int, int]:
    if not isinstance(facts, dict) or set(facts) != {"dtype", "shape", "data_offsets"}:
        raise VerificationError(
            f"the tensor {name:.120} has not exactly dtype, shape, data_offsets"
        )
    dtype, shape, offsets = facts["dtype"], facts["shape"], facts["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPE_BYTES:
        raise VerificationError(f"the tensor {name:.120} has the dtype {dtype!r:.40}")
    if not _counts(shape) or len(shape) > MAX_DIMENSIONS:
        raise VerificationError(f"the tensor {name:.120} has no shape that a tensor can have")
    if not _counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise VerificationError(f"the tensor {name:.120} has bad data_offsets")
    if prod(shape) * DTYPE_BYTES[dtype] != offsets[1] - offsets[0]:
        raise VerificationError(f"the tensor {name:.120} does not have the bytes of its shape")
    return Tensor(dtype, tuple(shape)), offsets[0], offsets[1]


def _counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)
