"""What a GPU does otherwise than the meta device: fused attention, fused dropout, autocast."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

from kolm_cli.plan.arguments import mapped, tensors_of

aten = torch.ops.aten

# aten/src/ATen/autocast_mode.h, AT_FORALL_LOWER_PRECISION_FP, AT_FORALL_FP32,
# AT_FORALL_FP32_SET_OPT_DTYPE and AT_FORALL_PROMOTE, as far as models call them.
_LOWER = {"conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "convolution"}
_LOWER |= {"prelu", "addmm", "addmv", "matmul", "einsum", "mm", "mv", "linear", "addbmm"}
_LOWER |= {"baddbmm", "bmm", "scaled_dot_product_attention"}
# Taken apart, it is nothing but those.
_LOWER |= {"multi_head_attention_forward"}
_FULL = {"acos", "asin", "cosh", "erfinv", "exp", "expm1", "log", "log10", "log2", "log1p"}
_FULL |= {"reciprocal", "rsqrt", "sinh", "tan", "pow", "softplus", "layer_norm", "group_norm"}
_FULL |= {"cosine_similarity", "nll_loss", "kl_div", "l1_loss", "mse_loss", "smooth_l1_loss"}
_FULL |= {"huber_loss", "binary_cross_entropy_with_logits", "dist", "cdist", "renorm"}
_FULL |= {"logsumexp", "interpolate", "grid_sample", "cross_entropy"}
# They keep what they are given, and give fp32.
_FULL_RESULT = {"prod", "softmax", "log_softmax", "cumprod", "cumsum", "sum", "norm", "vector_norm"}
_WIDEST = {"addcdiv", "addcmul", "atan2", "bilinear", "cross", "dot", "vdot", "index_put"}
_WIDEST |= {"tensordot", "scatter_add", "cat", "concat", "stack"}
_FLASH_HEAD = 256


class GpuForms(TorchFunctionMode):
    """Takes the operations that torch would choose on a GPU.

    Autocast does not know the meta device, so what it does on CUDA is done here, while `casting`
    is on: its lists of operations, and its copies of trained weights, kept until it ends.
    """

    def __init__(self, *, bf16: bool, device: Literal["cuda", "cpu"] = "cuda") -> None:
        super().__init__()
        self._forms = _CUDA_FORMS if device == "cuda" else _CPU_FORMS
        self._bf16 = bf16
        self._depth, self._plain = 0, False
        self._casts: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        # Told before and after the copies of weights are let go.
        self.on_release: Callable[[str], None] = lambda _: None

    @contextlib.contextmanager
    def casting(self) -> Iterator[None]:
        """What `torch.autocast("cuda", torch.bfloat16)` does, where the run has bf16."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self.on_release("release")
                self._casts.clear()
                self.on_release("released")

    @contextlib.contextmanager
    def plain(self) -> Iterator[None]:
        """No casts while the block lasts, as in `torch.autocast(enabled=False)`."""
        before, self._plain = self._plain, True
        try:
            yield
        finally:
            self._plain = before

    @property
    def _casts_now(self) -> bool:
        # Layers that are run again for their gradients run under the autocast of their first time.
        again = torch._C._current_autograd_node() is not None
        return self._bf16 and not self._plain and (self._depth > 0 or again)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """The operation as a GPU does it."""
        kwargs = kwargs or {}
        treatment = _treatment(func)
        if treatment is None:
            return func(*args, **kwargs)
        if treatment == "backward":
            return self._backward(args[0])
        if treatment == "make":
            return _made(func, args, kwargs)
        if self._casts_now:
            args, kwargs = self._cast(treatment, args, kwargs)
        special = self._forms.get(func)
        if special is not None:
            found = special(*args, **kwargs)
            if found is not None:
                return found
        return func(*args, **kwargs)

    def _backward(self, loss: torch.Tensor) -> None:
        """The backward pass, with the mode on: layers may be run again within it.

        `torch.autograd.backward` is itself handed to the mode, and would then run without it.
        """
        from torch.autograd.graph import _engine_run_backward

        start = torch.ones_like(loss)
        with self:
            _engine_run_backward(
                (loss,), (start,), False, False, (), allow_unreachable=True, accumulate_grad=True
            )

    def _cast(self, treatment: str, args: Any, kwargs: Any) -> tuple[Any, Any]:
        to: torch.dtype | None = None
        if treatment == "lower":
            to = torch.bfloat16
        elif treatment == "full":
            to = torch.float32
        elif treatment == "full result":
            first = args[0] if args else None
            low = isinstance(first, torch.Tensor) and first.dtype is torch.bfloat16
            if low and kwargs.get("dtype") is None:
                return args, {**kwargs, "dtype": torch.float32}
        elif treatment == "widest":
            dtypes = {t.dtype for t in tensors_of(args, kwargs) if t.dtype.is_floating_point}
            to = torch.float32 if len(dtypes) > 1 and torch.float32 in dtypes else None
        if to is None:
            return args, kwargs

        def cast(tensor: torch.Tensor) -> torch.Tensor:
            return self._as(tensor, to)

        return mapped(cast, args), mapped(cast, kwargs)

    def _as(self, tensor: torch.Tensor, to: torch.dtype) -> torch.Tensor:
        eligible = tensor.device.type == "meta" and tensor.dtype.is_floating_point
        if not eligible or tensor.dtype in (to, torch.float64):
            return tensor
        trained = tensor.is_leaf and tensor.requires_grad
        keep = trained and to is torch.bfloat16 and self._depth > 0
        if not keep:
            return tensor.to(to)
        if id(tensor) not in self._casts:
            self._casts[id(tensor)] = (tensor, tensor.to(to))
        return self._casts[id(tensor)][1]


@cache
def _treatment(func: Any) -> str | None:
    """What becomes of a function of torch; most are left alone."""
    if func is torch.Tensor.backward:
        return "backward"
    if func in (torch.tensor, torch.as_tensor):
        return "make"
    name = getattr(func, "__name__", "").strip("_")
    name = name[1:] if name in ("rmatmul", "rpow") else name
    lists = {"lower": _LOWER, "full": _FULL, "full result": _FULL_RESULT, "widest": _WIDEST}
    found = next((kind for kind, names in lists.items() if name in names), None)
    return "form" if found is None and func in _CUDA_FORMS else found


def _made(func: Any, args: Any, kwargs: Any) -> Any:
    """A tensor of numbers: made on the host and copied, as on a GPU, so that they are known."""
    if not _on_meta(kwargs.get("device")):
        return func(*args, **kwargs)
    return func(*tree_map(_number, args), **{**kwargs, "device": "cpu"}).to("meta")


def _number(item: Any) -> Any:
    """A tensor among numbers is read by the host."""
    alone = isinstance(item, torch.Tensor) and item.device.type == "meta" and item.dim() == 0
    return item.item() if alone else item


def _on_meta(device: Any) -> bool:
    return device is not None and torch.device(device).type == "meta"


def _attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor | None:
    """Attention as one kernel: flash without a mask, the memory-efficient one with a mask.

    As `torch.nn.functional.scaled_dot_product_attention` chooses on CUDA. None where CUDA, too,
    takes it apart.
    """
    if query.device.type != "meta" or query.dim() != 4:
        return None
    half = query.dtype in (torch.bfloat16, torch.float16)
    if attn_mask is None and half and query.shape[-1] <= _FLASH_HEAD:
        out = aten._scaled_dot_product_flash_attention(
            query, key, value, dropout_p, is_causal, scale=scale
        )
        return out[0]  # type: ignore[no-any-return]
    if enable_gqa and key.shape[1] != query.shape[1]:
        return None
    bias = None
    if attn_mask is not None:
        if attn_mask.dtype == torch.bool:
            attn_mask = torch.where(attn_mask, 0.0, float("-inf")).to(query.dtype)
        bias = attn_mask.to(query.dtype).expand(*query.shape[:3], key.shape[2])
    train = any(t.requires_grad for t in (query, key, value)) and torch.is_grad_enabled()
    out = aten._scaled_dot_product_efficient_attention(
        query, key, value, bias, train, dropout_p, is_causal, scale=scale
    )
    return out[0]  # type: ignore[no-any-return]


def _dropout(
    input: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> torch.Tensor | None:
    """Dropout as one kernel, with a mask of a byte an element."""
    if input.device.type != "meta" or not training or not 0 < p < 1 or inplace:
        return None
    return aten.native_dropout(input, p, True)[0]  # type: ignore[no-any-return]


def _attention_of_cpu(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor | None:
    """Attention as one kernel of the CPU, which has no dropout in it."""
    if query.device.type != "meta" or query.dim() != 4 or dropout_p:
        return None
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        attn_mask = torch.where(attn_mask, 0.0, float("-inf")).to(query.dtype)
    out = aten._scaled_dot_product_flash_attention_for_cpu(
        query, key, value, 0.0, is_causal, attn_mask=attn_mask, scale=scale
    )
    return out[0]  # type: ignore[no-any-return]


_Forms = dict[Any, Callable[..., torch.Tensor | None]]
_CUDA_FORMS: _Forms = {
    functional.scaled_dot_product_attention: _attention,
    functional.dropout: _dropout,
}
_CPU_FORMS: _Forms = {functional.scaled_dot_product_attention: _attention_of_cpu}


@contextlib.contextmanager
def fused_on_meta() -> Iterator[None]:
    """Let torch take its fused optimizers and norms for meta tensors, as it does on CUDA."""
    from unittest import mock

    import torch.optim.optimizer as optimizer
    import torch.utils._foreach_utils as foreach

    known = {
        (foreach, "_get_foreach_kernels_supported_devices"),
        (optimizer, "_get_fused_kernels_supported_devices"),
    }
    with contextlib.ExitStack() as stack:
        for module, name in known:
            devices = [*getattr(module, name)(), "meta"]
            stack.enter_context(mock.patch.object(module, name, lambda d=devices: d))
        yield


@contextlib.contextmanager
def plain_positions(model: nn.Module, forms: GpuForms) -> Iterator[None]:
    """Rotary positions are computed without autocast, which they turn off for themselves."""
    changed = [
        (module, module.forward) for module in model.modules() if hasattr(module, "inv_freq")
    ]
    for module, forward in changed:
        module.forward = _plainly(forward, forms)
    try:
        yield
    finally:
        for module, forward in changed:
            module.forward = forward


def _plainly(forward: Callable[..., Any], forms: GpuForms) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        with forms.plain():
            return forward(*args, **kwargs)

    return run
