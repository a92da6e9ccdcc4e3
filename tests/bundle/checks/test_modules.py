"""The exact lists of trained and frozen tensors: sorted, complete, and true of the files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bundle.checks.helpers import edited, part, replaced, signed
from tests.bundle.forge import assert_refused

MODULES: dict[str, tuple[Callable[[bytes], bytes], str, str]] = {
    "duplicate key": (replaced(b'"format":', b'"format":1,"format":'), "modules", "occurs twice"),
    "not canonical": (replaced(b":", b": "), "modules", "canonical form"),
    "deep nesting": (lambda _: b"[" * 900 + b"]" * 900, "modules", "nested deeper"),
    "another format": (edited(lambda v: v.update(format="x")), "modules", "kolm-modules/1"),
    "unsorted": (edited(lambda v: v["trainable"].reverse()), "modules", "not sorted"),
    "twice": (edited(lambda v: v["frozen"].append(v["frozen"][-1])), "modules", "names one twice"),
    "trainable and frozen": (
        edited(
            lambda v: v["frozen"].append(
                {k: v["trainable"][-1][k] for k in ("name", "part", "shape", "dtype")}
            )
        ),
        "modules",
        "as trainable and as frozen",
    ),
    "nothing trainable": (edited(lambda v: v.update(trainable=[])), "modules", "nothing is listed"),
    "unknown part": (edited(lambda v: v["frozen"][0].update(part="x")), "modules", "no part"),
    "summary disagrees": (
        edited(lambda v: v["frozen"].pop()),
        "modules",
        "vlm_train.frozen_modules does not summarize",
    ),
    "tensor in no file": (
        edited(lambda v: v["trainable"][0].update(tensor="x")),
        "adapter",
        "does not hold x",
    ),
    "shape": (edited(lambda v: v["trainable"][0].update(shape=[8, 2])), "adapter", "is F32 (2, 8)"),
    "dtype": (edited(lambda v: v["trainable"][0].update(dtype="BF16")), "adapter", "not BF16"),
    "file": (
        edited(lambda v: v["trainable"][0].update(file="adapter/vision.safetensors")),
        "adapter",
        "vision.safetensors does not hold",
    ),
    "escaping file": (
        edited(lambda v: v["trainable"][0].update(file="../x.safetensors")),
        "modules",
        "kind or file is wrong",
    ),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules(name: str, tmp_path: Path) -> None:
    change, check, words = MODULES[name]
    path, signer = signed(tmp_path, {"modules.json": change(part("modules.json"))})
    assert_refused(path, signer, check, words)
