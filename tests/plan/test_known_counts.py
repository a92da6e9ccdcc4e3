"""Counts that can be worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from kolm_cli.plan.follow import CountingError, Follower
from kolm_cli.plan.gpu_forms import GpuForms, fused_on_meta
from kolm_cli.plan.where import Where

F32, BF16 = 4, 2


@contextmanager
def following(*, bf16: bool = False) -> Iterator[tuple[Follower, GpuForms]]:
    follower, forms = Follower(Where()), GpuForms(bf16=bf16)
    with follower, forms:
        yield follower, forms


def meta(*shape: int, grad: bool = False, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.empty(shape, device="meta", dtype=dtype, requires_grad=grad)


def made(follower: Follower) -> int:
    """What lives, without what was there before."""
    now = follower.storages.now()
    return now.bytes - now.made_of.get("given", 0)


def test_a_linear_layer() -> None:
    layer, x = nn.Linear(16, 32, device="meta"), meta(8, 16)
    with following() as (follower, _):
        y = layer(x)
    work = follower.work.total
    assert work.kernels == 1
    assert work.flops == 2 * 8 * 16 * 32
    assert work.read == (8 * 16 + 16 * 32 + 32) * F32
    assert work.written == y.nbytes == 8 * 32 * F32
    assert made(follower) == y.nbytes


def test_its_backward_pass() -> None:
    layer, x = nn.Linear(16, 32, bias=False, device="meta"), meta(8, 16, grad=True)
    with following() as (follower, _):
        layer(x).sum().backward()
    # A product forward, and one for each of the two gradients.
    assert follower.work.total.flops == 3 * 2 * 8 * 16 * 32
    assert layer.weight.grad is not None
    assert x.grad is not None
    assert made(follower) == layer.weight.grad.nbytes + x.grad.nbytes


def test_views_are_counted_once_and_launch_nothing() -> None:
    x = meta(4, 6)
    with following() as (follower, _):
        y = x + 1
        views = [y.view(6, 4), y.t(), y[1:], y.expand(3, 4, 6), y.detach()]
        assert follower.work.total.kernels == 1
        assert made(follower) == 4 * 6 * F32
        del y
        assert made(follower) == 4 * 6 * F32
        del views
        assert made(follower) == 0
    assert follower.storages.peak.bytes == 2 * 4 * 6 * F32


def test_what_is_expanded_is_read_once() -> None:
    row, table = meta(1, 64), meta(100, 64)
    with following() as (follower, _):
        row.expand(100, 64) + table
    assert follower.work.total.read == 64 * F32 + table.nbytes


def test_choosing_reads_what_is_chosen() -> None:
    ids, table = torch.arange(5), meta(1000, 64)
    with following() as (follower, _):
        out = functional.embedding(ids.to("meta"), table)
    work = follower.work.total
    assert out.nbytes == 5 * 64 * F32
    assert work.copies == 1
    assert work.read == out.nbytes + 5 * 8
    assert work.written == out.nbytes + 5 * 8


@pytest.mark.parametrize("masked", [False, True])
def test_attention_is_one_kernel_without_a_square_of_scores(masked: bool) -> None:
    b, h, t, d = 1, 2, 64, 32
    q, k, v = (meta(b, h, t, d, dtype=torch.bfloat16) for _ in range(3))
    mask = meta(b, 1, t, t, dtype=torch.bfloat16) if masked else None
    with following(bf16=True) as (follower, _):
        out = functional.scaled_dot_product_attention(q, k, v, mask, is_causal=not masked)
    work = follower.work.total
    assert out.shape == q.shape
    assert work.kernels == 1
    assert work.flops == 2 * 2 * b * h * t * t * d
    assert work.read == 3 * q.nbytes + (mask.nbytes if mask is not None else 0)
    # Beside the result, what the backward pass needs: a sum for each query, and the random state.
    assert out.nbytes <= made(follower) <= out.nbytes + b * h * t * F32 + 32


def test_checkpointing_keeps_the_inputs_of_layers_only() -> None:
    width, rows, layers = 32, 64, 6
    net = [
        nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)).to(
            "meta"
        )
        for _ in range(layers)
    ]
    kept, live = rows * width * F32, {}
    for on in (False, True):
        x = meta(rows, width, grad=True)
        with following() as (follower, _):
            h = x
            for layer in net:
                h = checkpoint(layer, h, use_reentrant=False) if on else layer(h)
            live[on] = made(follower)
            before = follower.work.total.flops
            h.sum().backward()
            backward = follower.work.total.flops - before
        # Two products of 2 * rows * width * 4 width a layer; backward has two for each.
        forward = layers * 2 * 2 * rows * width * 4 * width
        assert before == forward
        # A layer is run again up to its second product, whose result nothing asks for.
        assert backward == 2 * forward + (forward // 2 if on else 0)
        for layer in net:
            layer.zero_grad()
    # Without: the input of each second product, what GELU keeps, and each layer's output.
    assert live[False] == layers * (2 * 4 * kept + kept)
    # With: each layer's output. The state of the CPU's random numbers is not on the device.
    assert live[True] == layers * kept


def test_adamw_keeps_two_moments_and_a_step_count() -> None:
    weights = [nn.Parameter(meta(10, 10)), nn.Parameter(meta(7))]
    with fused_on_meta(), following() as (follower, _):
        optimizer = torch.optim.AdamW(weights, fused=True)
        for weight in weights:
            weight.grad = torch.zeros_like(weight)
        before = follower.work.total
        optimizer.step()
        step = follower.work.total.less(before)
        kept = sum(t.nbytes for state in optimizer.state.values() for t in state.values())
    numbers = 10 * 10 + 7
    assert kept == (2 * numbers + len(weights)) * F32
    # The moments and counts begin as zeros, counts go up in one kernel, and one does the rest.
    assert step.kernels == 3 * len(weights) + 2
    # Weight, two moments: read and written. The gradient: read; its new value is written too.
    assert step.written >= (3 * numbers + 2 * numbers) * F32


def test_a_gradient_s_norm_is_clipped_in_few_kernels() -> None:
    weights = [nn.Parameter(meta(8, 8)) for _ in range(50)]
    with fused_on_meta(), following() as (follower, _):
        for weight in weights:
            weight.grad = torch.zeros_like(weight)
        before = follower.work.total
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        work = follower.work.total.less(before)
    assert work.kernels < 15
    assert work.waits == 0


def test_the_host_waits_for_values() -> None:
    flags = torch.tensor([True, False, True])
    with following() as (follower, _):
        x, mask = torch.arange(3).to("meta"), flags.to("meta")
        assert x.sum().item() == 3
        assert mask.tolist() == [True, False, True]
        assert x[mask].shape == (2,)
        assert x[mask].cpu().tolist() == [0, 2]
    # item, tolist, two masks, and one copy.
    assert follower.work.total.waits == 5


def test_values_follow_views_and_writes() -> None:
    with following():
        x = torch.zeros(4, dtype=torch.long).to("meta")
        x[1:3] = 7
        x.view(2, 2)[0, 0] += 2
        assert x.tolist() == [2, 7, 7, 0]


def test_unknown_values_that_decide_sizes_are_an_error() -> None:
    with following(), pytest.raises(CountingError, match="nonzero"):
        (meta(1 << 16) > 0).nonzero()


def test_mixing_host_and_device_is_an_error() -> None:
    with following(), pytest.raises(CountingError, match="mixes tensors"):
        meta(4) + torch.ones(4)


def test_a_number_of_the_host_may_be_mixed_in() -> None:
    with following():
        assert (meta(4) + torch.tensor(1.0)).shape == (4,)


def test_autocast_casts_a_trained_weight_once() -> None:
    layer = nn.Linear(16, 16, bias=False, device="meta")
    x = meta(4, 16, grad=True, dtype=torch.bfloat16)
    with following(bf16=True) as (follower, forms):
        with forms.casting():
            first, second = layer(x), layer(x)
            wide = functional.softmax(first, -1)
            # The weight is cast, two products, the scores are cast, and the softmax.
            assert follower.work.total.kernels == 5
        assert first.dtype == second.dtype == torch.bfloat16
        assert wide.dtype == torch.float32
        results = sum(t.nbytes for t in (first, second, wide))
        # The graph keeps the cast weight.
        assert made(follower) == results + layer.weight.numel() * BF16


def test_dropout_keeps_a_byte_an_element() -> None:
    x = meta(8, 8, grad=True)
    with following() as (follower, _):
        y = functional.dropout(x, 0.1)
        assert follower.work.total.kernels == 1
        assert made(follower) == y.nbytes + y.numel()
