"""`modules.json` lists every parameter once, and the receipt's summary agrees with it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from kolm_cli.bundle.checks.base import Case, Check, Outcome
from kolm_cli.bundle.format import layout
from kolm_cli.core.errors import VerificationError

_PARTS = ("vision", "projector", "language", "head", "other")
_FROZEN = {"name", "part", "shape", "dtype"}
_TRAINABLE = _FROZEN | {"kind", "file", "tensor"}


def _run(case: Case) -> Outcome:
    modules = case.modules
    if set(modules) != {"format", "trainable", "frozen"} or modules["format"] != "kolm-modules/1":
        raise VerificationError(f"{layout.MODULES} is not of the form kolm-modules/1")
    trainable = _entries(modules["trainable"], "trainable", _TRAINABLE)
    frozen = _entries(modules["frozen"], "frozen", _FROZEN)
    both = {e["name"] for e in trainable} & {e["name"] for e in frozen}
    if both:
        raise VerificationError(f"{min(both)} is listed as trainable and as frozen")
    if not trainable:
        raise VerificationError("nothing is listed as trainable")
    for entry in trainable:
        if entry["kind"] not in ("lora", "full") or not _is_adapter_file(entry["file"]):
            raise VerificationError(f"{entry['name']}: kind or file is wrong")
        if not isinstance(entry["tensor"], str):
            raise VerificationError(f"{entry['name']}: tensor is not a name")
    _agree(case.receipt.get("vlm_train"), "trainable_modules", trainable)
    _agree(case.receipt.get("vlm_train"), "frozen_modules", frozen)
    return Outcome(True, f"{len(trainable)} trainable and {len(frozen)} frozen tensors")


def _entries(value: Any, which: str, keys: set[str]) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise VerificationError(f"{which} is not a list")
    for entry in value:
        if not isinstance(entry, dict) or set(entry) != keys:
            raise VerificationError(f"{which}: an entry has not exactly {', '.join(sorted(keys))}")
        if not isinstance(entry["name"], str) or entry["part"] not in _PARTS:
            raise VerificationError(f"{which}: an entry has no name, or no part of a model")
        shape = entry["shape"]
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
            raise VerificationError(f"{which}: {entry['name']} has no shape")
        if not isinstance(entry["dtype"], str):
            raise VerificationError(f"{which}: {entry['name']} has no dtype")
    names = [entry["name"] for entry in value]
    if any(a >= b for a, b in pairwise(names)):
        raise VerificationError(f"{which} is not sorted by name, or names one twice")
    return value


def _is_adapter_file(path: Any) -> bool:
    return isinstance(path, str) and path.startswith("adapter/") and layout.is_safetensors(path)


def _agree(block: Any, key: str, entries: list[dict[str, Any]]) -> None:
    if not isinstance(block, dict) or not isinstance(block.get(key), list):
        raise VerificationError(f"the receipt has no vlm_train.{key}")
    globs = {_glob(entry["name"]) for entry in entries}
    if not all(isinstance(item, str) for item in block[key]) or set(block[key]) != globs:
        raise VerificationError(
            f"the receipt's vlm_train.{key} does not summarise {layout.MODULES}"
        )


def _glob(name: str) -> str:
    """Layer numbers become `*`, as the receipt writes them."""
    return ".".join("*" if piece.isdigit() else piece for piece in name.split("."))


CHECK = Check("modules", _run)
