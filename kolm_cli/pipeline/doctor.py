"""`kolm doctor`: what this machine can run, what is missing, and one fix for each."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from kolm_cli.core.errors import KolmError
from kolm_cli.core.home import home_path
from kolm_cli.core.processors import available_processors

State = Literal["ok", "missing", "limited"]
GIB = 1 << 30
# A run's data workers pass their batches through it; a container has 64 MB unless told otherwise.
_SHARED_ENOUGH = 1 * GIB
_DISK_ENOUGH = 10 * GIB


@dataclass(frozen=True)
class Finding:
    """What was found out about one thing.

    Attributes:
        name: what it is.
        state: `ok`; `limited`, where something runs slower or not at all; `missing`, where nothing
            can be compiled.
        what: what there is.
        fix: what to do; empty when all is well.
    """

    name: str
    state: State
    what: str
    fix: str = ""


def examine() -> list[Finding]:
    """Everything that is looked at, in the order in which it is shown."""
    return [check() for check in CHECKS]


def _python() -> Finding:
    # An older one could not have read this file.
    return Finding("python", "ok", platform.python_version())


def _torch() -> Finding:
    try:
        version = metadata.version("torch")
    except metadata.PackageNotFoundError:
        return Finding("torch", "missing", "not installed", "pip install kolm-cli")
    import torch

    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU only"
    if torch.version.cuda is None and Path("/dev/nvidia0").exists():
        return Finding(
            "torch", "limited", f"{version}, {build}, beside an NVIDIA GPU",
            "pip install --force-reinstall torch torchvision",
        )  # fmt: skip
    return Finding("torch", "ok", f"{version}, {build}")


def _devices() -> Finding:
    import torch

    if not torch.cuda.is_available():
        return Finding(
            "gpu", "limited", f"none; {available_processors()} processors",
            "write device: cpu under launch:, or run where there is a GPU",
        )  # fmt: skip
    names = []
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        free = torch.cuda.mem_get_info(index)[0]
        memory = f"{free / GIB:.1f} of {properties.total_memory / GIB:.1f} GiB free"
        names.append(f"{properties.name} ({memory})")
    if not torch.cuda.is_bf16_supported():
        return Finding("gpu", "limited", "; ".join(names), "write bf16: false under train:")
    return Finding("gpu", "ok", "; ".join(names))


def _accelerate() -> Finding:
    try:
        return Finding("accelerate", "ok", metadata.version("accelerate"))
    except metadata.PackageNotFoundError:
        return Finding("accelerate", "missing", "not installed", "pip install kolm-cli")


def _attention() -> Finding:
    from transformers.utils import is_flash_attn_2_available, is_flash_attn_3_available

    kernels = ["sdpa", "eager"]
    kernels += ["flash_attention_2"] if is_flash_attn_2_available() else []
    kernels += ["flash_attention_3"] if is_flash_attn_3_available() else []
    return Finding("attention", "ok", ", ".join(kernels))


def _bitsandbytes() -> Finding:
    if importlib.util.find_spec("bitsandbytes") is not None:
        return Finding("bitsandbytes", "ok", metadata.version("bitsandbytes"))
    return Finding(
        "bitsandbytes", "limited", "not installed: no quantized base", "pip install bitsandbytes"
    )


def _shared_memory() -> Finding:
    from kolm_cli.trainer.data_workers import SHARED_MEMORY, free_shared_memory

    free = free_shared_memory()
    if free is None:
        return Finding("shared memory", "ok", f"no {SHARED_MEMORY}")
    what = f"{free / GIB:.1f} GiB free in {SHARED_MEMORY}"
    if free < _SHARED_ENOUGH:
        return Finding("shared memory", "limited", what, "start the container with --shm-size=2g")
    return Finding("shared memory", "ok", what)


def _disk() -> Finding:
    place = home_path()
    there = next(path for path in (place, *place.parents) if path.exists())
    free = shutil.disk_usage(there).free
    what = f"{free / GIB:.1f} GiB free at {place}"
    if not os.access(there, os.W_OK):
        return Finding("disk", "missing", f"{place} cannot be written", "set KOLM_HOME")
    if free < _DISK_ENOUGH:
        return Finding("disk", "limited", what, "kolm gc --runs 7, or set KOLM_HOME elsewhere")
    return Finding("disk", "ok", what)


def _hub() -> Finding:
    from huggingface_hub import constants, get_token

    token = "with a token" if get_token() else "without a token"
    if constants.HF_HUB_OFFLINE:
        return Finding(
            "hub", "limited", f"offline by HF_HUB_OFFLINE, {token}",
            "unset HF_HUB_OFFLINE, or fetch bases before (hf download)",
        )  # fmt: skip
    try:
        from huggingface_hub import HfApi

        HfApi().model_info("Qwen/Qwen2.5-VL-3B-Instruct", timeout=5)
    except (OSError, ValueError) as error:
        return Finding(
            "hub", "limited", f"not reached ({type(error).__name__}), {token}",
            "fetch bases before (hf download), or give local folders",
        )  # fmt: skip
    return Finding("hub", "ok", f"{constants.ENDPOINT}, {token}")


def _keys() -> Finding:
    from kolm_cli.bundle.signing.key_store import stored_keys

    given = os.environ.get("KOLM_SIGNING_KEY")
    if given:
        if Path(given).is_file():
            return Finding("keys", "ok", "KOLM_SIGNING_KEY names a file")
        return Finding(
            "keys", "missing", "KOLM_SIGNING_KEY names no file", "unset it, or name a key's file"
        )
    try:
        states = [key.state for key in stored_keys()]
    except KolmError as error:
        what = "; ".join(f"{problem.where} {problem.what}" for problem in error.problems)
        return Finding("keys", "missing", what, "move that file out of the folder of keys")
    if not states:
        return Finding("keys", "ok", "none yet; the first compile makes one")
    return Finding("keys", "ok", ", ".join(f"{states.count(s)} {s}" for s in dict.fromkeys(states)))


def _registry() -> Finding:
    if importlib.util.find_spec("httpx") is None:
        return Finding(
            "registry", "limited", "local only: httpx is not installed",
            "pip install 'kolm-cli[registry]'",
        )  # fmt: skip
    return Finding("registry", "ok", "local and remote")


CHECKS: tuple[Callable[[], Finding], ...] = (
    _python,
    _torch,
    _devices,
    _accelerate,
    _attention,
    _bitsandbytes,
    _shared_memory,
    _disk,
    _hub,
    _keys,
    _registry,
)
