"""NaN and infinity are found in every floating-point type, wherever a piece ends."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
import torch

from kolm_cli.bundle.format.finite import Finite
from kolm_cli.bundle.format.safetensors_header import DTYPE_BYTES, Span, Tensor
from tests.bundle.checks.helpers import part, signed
from tests.bundle.forge import assert_refused

TYPES = {
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
}


def fed(data: bytes, *tensors: tuple[str, int], piece: int = 1 << 18) -> str:
    """What is said of tensors of these types and lengths."""
    spans, at = [], 0
    for index, (dtype, count) in enumerate(tensors):
        end = at + count * DTYPE_BYTES[dtype]
        spans.append(Span(at, end, f"t{index}", Tensor(dtype, (count,))))
        at = end
    finite = Finite(spans)
    said = (finite.feed(data[i : i + piece]) for i in range(0, len(data), piece))
    return next(filter(None, said), "")


def raw(values: torch.Tensor) -> bytes:
    return bytes(values.view(torch.uint8).tolist())


@pytest.mark.parametrize("name", TYPES)
def test_every_bit_pattern_of_small_types_and_many_of_large_ones(name: str) -> None:
    width, draw = DTYPE_BYTES[name], random.Random(1)  # noqa: S311
    patterns = (
        [n.to_bytes(width, "little") for n in range(256**width)]
        if width < 2
        else [
            draw.randbytes(width - 1) + bytes([draw.choice((0, 0x7F, 0xFF, 0x7C, 0x3C))])
            for _ in range(1_500)
        ]
    )
    for pattern in patterns:
        value = torch.frombuffer(bytearray(pattern), dtype=TYPES[name]).double().item()
        assert bool(fed(pattern, (name, 1))) != math.isfinite(value), (name, pattern, value)


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("piece", [1, 3, 8, 4096])
def test_one_among_many(name: str, piece: int) -> None:
    values = torch.linspace(-100, 100, 700).to(TYPES[name])
    assert fed(raw(values), (name, 700), piece=piece) == ""
    for at in (0, 350, 699):
        changed = values.clone()
        changed[at] = math.nan
        found = fed(raw(values) + raw(changed), (name, 700), (name, 700), piece=piece)
        assert found == "the tensor t1 holds NaN or infinity"


def test_integers_are_finite() -> None:
    assert fed(b"\xff" * 64, ("I8", 8), ("U32", 2), ("I64", 6)) == ""


def test_tensors_without_elements_and_of_several_types() -> None:
    data = b"\xff" * 4 + b"\0" * 2 + b"\0\0\x80\x7f"
    assert fed(data, ("I32", 1), ("F64", 0), ("BF16", 1), ("F32", 1)) == (
        "the tensor t3 holds NaN or infinity"
    )


@pytest.mark.parametrize("file", ["adapter_model", "projector"])
@pytest.mark.parametrize("value", [b"\0\0\xc0\x7f", b"\0\0\x80\xff"], ids=["NaN", "-infinity"])
def test_weights_of_a_bundle_are_numbers(file: str, value: bytes, tmp_path: Path) -> None:
    path = f"adapter/{file}.safetensors"
    bundle, signer = signed(tmp_path, {path: part(path)[:-4] + value})
    assert_refused(bundle, signer, "adapter", "holds NaN or infinity")
