"""Weights: faultless safetensors files that hold exactly what modules.json lists."""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bundle import factory
from tests.bundle.checks.helpers import Value, part, signed
from tests.bundle.forge import assert_refused, edit_json

ADAPTER = "adapter/adapter_model.safetensors"


def tensors(edit: Callable[[Value], Any]) -> Callable[[bytes], bytes]:
    """Edits the header of a safetensors file; the tensors stay."""

    def change(data: bytes) -> bytes:
        length = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8 : 8 + length])
        edit(header)
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data[8 + length :]

    return change


def raw_header(edit: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        length = struct.unpack("<Q", data[:8])[0]
        text = edit(data[8 : 8 + length])
        return struct.pack("<Q", len(text)) + text + data[8 + length :]

    return change


A0 = f"{factory.LORA}model.language_model.layers.0.self_attn.q_proj.lora_A.weight"
B0 = A0.replace("lora_A", "lora_B")


SAFETENSORS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "duplicate key": (
        raw_header(lambda t: t.replace(b'"__metadata__"', b'"__metadata__":{},"__metadata__"', 1)),
        "occurs twice",
    ),
    "the same tensor twice": (
        raw_header(lambda t: t.replace(B0.encode(), A0.encode(), 1)),
        "occurs twice",
    ),
    "oversized header": (lambda d: struct.pack("<Q", 1 << 40) + d[8:], "the header claims"),
    "header beyond the file": (lambda d: struct.pack("<Q", 1 << 20) + d[8:], "inside its header"),
    "no header": (lambda _: b"\1\2", "inside its header"),
    "no bytes": (lambda _: b"", "inside its header"),
    "header is a list": (raw_header(lambda t: b"[1]"), "does not begin with {"),
    "header begins with a space": (raw_header(lambda t: b" " + t), "does not begin with {"),
    "header is a pickle": (raw_header(lambda t: pickle.dumps({})), "does not begin with {"),
    "NaN": (raw_header(lambda t: t.replace(b"[2,8]", b"[2,NaN]", 1)), "NaN is not JSON"),
    "deep nesting": (raw_header(lambda t: b'{"a":' + b"[" * 99 + b"]" * 99 + b"}"), "deeper"),
    "more metadata": (
        tensors(lambda h: h["__metadata__"].update(evil="x")),
        "says more than the format",
    ),
    "metadata that is not text": (
        tensors(lambda h: h["__metadata__"].update(format=1)),
        "does not map texts",
    ),
    "gap": (tensors(lambda h: h.pop(A0)), "leaves a gap"),
    "overlap": (tensors(lambda h: h[B0].update(data_offsets=[0, 64])), "overlaps another"),
    "offsets backwards": (tensors(lambda h: h[A0].update(data_offsets=[64, 0])), "data_offsets"),
    "negative offset": (tensors(lambda h: h[A0].update(data_offsets=[-64, 0])), "data_offsets"),
    "true as an offset": (tensors(lambda h: h[A0].update(data_offsets=[True, 65])), "data_offsets"),
    "bytes behind": (lambda d: d + b"\0" * 8, "fill"),
    "bytes missing": (lambda d: d[:-4], "fill"),
    "shape and bytes disagree": (tensors(lambda h: h[A0].update(shape=[2, 9])), "of its shape"),
    "negative shape": (tensors(lambda h: h[A0].update(shape=[-2, -8])), "no shape"),
    "many dimensions": (tensors(lambda h: h[A0].update(shape=[1] * 40)), "no shape"),
    "unknown dtype": (tensors(lambda h: h[A0].update(dtype="F99")), "the dtype 'F99'"),
    "another dtype": (tensors(lambda h: h[A0].update(dtype="I32")), "is I32"),
    "unknown field": (tensors(lambda h: h[A0].update(code="x")), "has not exactly dtype"),
    "renamed tensor": (
        raw_header(lambda t: t.replace(b"q_proj", b"k_proj")),
        "is not in modules.json",
    ),
}


@pytest.mark.parametrize("name", SAFETENSORS)
def test_safetensors(name: str, tmp_path: Path) -> None:
    change, words = SAFETENSORS[name]
    path, signer = signed(tmp_path, {ADAPTER: change(part(ADAPTER))})
    assert_refused(path, signer, "adapter", words)


def test_a_further_tensor_that_modules_json_does_not_list(tmp_path: Path) -> None:
    data = factory.safetensors_bytes({"model.visual.merger.mlp.0.weight": [4, 4], "z.evil": [2]})
    path, signer = signed(tmp_path, {"adapter/projector.safetensors": data})
    assert_refused(path, signer, "adapter", "z.evil of adapter/projector.safetensors is not in")


@pytest.mark.parametrize("value", [4, 10**9])
@pytest.mark.parametrize("key", ["rank_pattern", "alpha_pattern"])
def test_a_rank_or_alpha_that_the_modules_do_not_have(key: str, value: int, tmp_path: Path) -> None:
    """A loader would scale or shape a layer otherwise than it was trained."""
    file, layer = "adapter/adapter_config.json", "model.language_model.layers.0.self_attn.q_proj"
    change = edit_json(part(file), lambda v: v.update({key: {layer: value}}))
    path, signer = signed(tmp_path, {file: change})
    assert_refused(path, signer, "adapter", key)


@pytest.mark.parametrize(
    ("key", "value"),
    [("peft_type", "BONE"), ("base_model_name_or_path", "evil/base"), ("r", 3), ("lora_alpha", 9)],
)
def test_the_adapter_configuration_must_fit(key: str, value: Any, tmp_path: Path) -> None:
    file = "adapter/adapter_config.json"
    path, signer = signed(tmp_path, {file: edit_json(part(file), lambda v: v.update({key: value}))})
    assert_refused(path, signer, "adapter", f"{key} is {value!r}")
