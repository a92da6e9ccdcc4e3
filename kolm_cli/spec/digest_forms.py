"""The forms of a spec that digests are taken of, and the one that goes into a bundle."""

from __future__ import annotations

import re
from typing import Any

from kolm_cli.spec.model import Spec
from kolm_cli.spec.train import TOLD_ONLY
from kolm_cli.spec.yaml_write import dump

# What differs between the machines of one run, or says where on this one something is.
_MACHINE = ("main_process_port",)
_DATA_SETTINGS = ("confine", "images", "max_images_per_example", "review", "truncation")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# A hub id or the name of a folder: no root, no drive, no way up, one slash at most.
_IDENTITY = re.compile(r"[^./\\~][^/\\]*(/[^./\\][^/\\]*)?")


def bundle_form(
    spec: Spec,
    *,
    train_digest: str,
    eval_digest: str,
    base_identity: str,
    parent: str | None = None,
) -> bytes:
    """The spec as the YAML text in a bundle, the same bytes on every machine.

    Every default is written out, keys are sorted, options without effect are left out. Nothing
    in it says where this machine keeps its files or how it is called.

    Args:
        spec: a checked spec.
        train_digest: hex SHA-256 of the frozen training data.
        eval_digest: hex SHA-256 of the frozen evaluation pack.
        base_identity: the base's hub id, or the name of its folder.
        parent: the CID of the bundle that training started from; None when it was the base.

    Raises:
        ValueError: a digest is not one, or the identity is a path.
    """
    for digest in (train_digest, eval_digest):
        if not _SHA256.fullmatch(digest):
            raise ValueError(f"{digest!r} is not a SHA-256 in hex")
    if not _IDENTITY.fullmatch(base_identity):
        raise ValueError(f"{base_identity!r} is neither a hub id nor the name of a folder")
    form = stored_form(spec)
    form["base"]["model"] = base_identity
    form["base"].pop("adapter", None)
    if parent is not None:
        form["base"]["adapter"] = f"registry:{parent}"
    form["data"]["train"] = f"sha256:{train_digest}"
    form["data"]["eval"] = f"sha256:{eval_digest}"
    return dump(form)


def stored_form(spec: Spec) -> dict[str, Any]:
    """What of the spec a bundle holds, before paths are replaced by digests."""
    form = spec.model_dump(mode="json")
    del form["bundle"]
    for name in _MACHINE:
        form["launch"].pop(name, None)
    for name in TOLD_ONLY:
        form["train"].pop(name, None)
    return form


def training_form(spec: Spec) -> dict[str, Any]:
    """What in the spec decides the trained weights, as plain JSON values.

    The data itself and the base's weights are decided elsewhere: add their digests. Where there is
    `during`, the pack is part of the data.
    """
    form = spec.model_dump(mode="json")
    launch: tuple[str, ...] = ("device", "num_processes")
    if spec.launch.device == "cpu":
        # Threads decide the order of floating-point sums; on a GPU they decide nothing.
        launch = (*launch, "threads")
    during = {} if spec.evaluate.during is None else {"during": _during_form(form["evaluate"])}
    return {
        **during,
        "name": spec.name,
        "base": form["base"],
        "data": _data_settings(form),
        "train": {k: v for k, v in form["train"].items() if k not in TOLD_ONLY},
        "launch": {name: form["launch"][name] for name in launch},
    }


def _data_settings(form: dict[str, Any]) -> dict[str, Any]:
    """What rows may be. What a bundle says of its data is about one reading of it."""
    return {name: form["data"][name] for name in _DATA_SETTINGS if name in form["data"]}


def _during_form(evaluate: dict[str, Any]) -> dict[str, Any]:
    """What of the evaluation decides what is found while training."""
    return {name: evaluate[name] for name in ("during", "metric", "max_new_tokens", "batch_size")}


def evaluation_form(spec: Spec) -> dict[str, Any]:
    """What in the spec decides the predictions, beside what decides the weights.

    The gate, the price and `include` are in neither form, nor is the metric unless something is
    evaluated `during` training: what they decide is computed again from the stored predictions.
    """
    form = spec.model_dump(mode="json")
    return {
        "data": _data_settings(form),
        "max_new_tokens": spec.evaluate.max_new_tokens,
        "batch_size": spec.evaluate.batch_size,
    }
