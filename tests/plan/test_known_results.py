"""What was worked out before is given again, and nothing else is."""

from __future__ import annotations

from typing import Any

import torch

from kolm_cli.plan.counts import Work
from kolm_cli.plan.known_results import KnownResults

aten = torch.ops.aten


def done(known: KnownResults, func: Any, *args: Any) -> tuple[Any, bool]:
    """The result, and whether it was known."""
    key = known.key(func, args, {})
    found = known.find(key)
    if found is not None:
        assert found[1] == Work(kernels=7)
        return found[0], True
    out = func(*args)
    known.keep(key, out, Work(kernels=7), [a for a in args if isinstance(a, torch.Tensor)])
    return out, False


def meta(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def test_the_same_shapes_give_the_same_result_and_new_memory() -> None:
    known = KnownResults()
    first, was_known = done(known, aten.native_layer_norm.default, meta(4, 8), [8], None, None, 0.1)
    assert not was_known
    again, was_known = done(known, aten.native_layer_norm.default, meta(4, 8), [8], None, None, 0.1)
    assert was_known
    for one, other in zip(first, again, strict=True):
        assert (one.shape, one.stride(), one.dtype) == (other.shape, other.stride(), other.dtype)
        assert one.untyped_storage()._cdata != other.untyped_storage()._cdata


def test_what_decides_the_result_is_told_apart() -> None:
    known, whole = KnownResults(), torch.empty(3, dtype=torch.long, device="meta")
    assert done(known, aten.mul.Tensor, whole, 1)[0].dtype == torch.long
    assert done(known, aten.mul.Tensor, whole, 1.0)[0].dtype == torch.float32
    assert not done(known, aten.mul.Tensor, meta(4, 6), meta(4, 6))[1]
    # Another layout, and the same tensor twice, which is read once.
    assert not done(known, aten.mul.Tensor, meta(6, 4).t(), meta(6, 4).t())[1]
    same = meta(4, 6)
    assert not done(known, aten.mul.Tensor, same, same)[1]
    assert done(known, aten.mul.Tensor, meta(4, 6), meta(4, 6))[1]


def test_views_and_writes_are_not_kept() -> None:
    known, x = KnownResults(), meta(4, 6)
    for _ in range(2):
        view, was_known = done(known, aten.t.default, x)
        assert not was_known
        assert view.untyped_storage()._cdata == x.untyped_storage()._cdata
        assert not done(known, aten.add_.Tensor, x, 1)[1]
