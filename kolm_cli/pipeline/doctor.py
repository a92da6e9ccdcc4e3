"""`kolm doctor`: what this machine can run, what is missing, and one fix for each."""

from __future__ import annotations

import errno
import importlib
import importlib.util
import os
import platform
import shutil
import tempfile
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
# What a full disk has no room for.
_A_BLOCK = 1 << 16
_MORE_ROOM = "kolm gc --runs 7, or set KOLM_HOME elsewhere"


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
    """Everything that is looked at, in the order in which it is shown.

    What cannot be looked at is a finding too: a broken machine is what this is for.
    """
    found = []
    for name, check in CHECKS:
        try:
            found.append(check())
        except Exception as error:
            # Libraries that do not fit raise anything when they are imported.
            said = " ".join(str(error).split())[:160]
            what = f"cannot be looked at: {type(error).__name__}: {said}"
            found.append(Finding(name, "missing", what, _fix_for(error)))
    return found


def _fix_for(error: Exception) -> str:
    """What to do about a library that is not there, or does not fit the others."""
    if isinstance(error, ModuleNotFoundError):
        return "pip install kolm-cli"
    if isinstance(error, ImportError | OSError | RuntimeError | AttributeError):
        return "pip install --force-reinstall kolm-cli torch torchvision"
    return "run again with KOLM_TRACEBACK=1 and report what it prints"


def _python() -> Finding:
    # An older one could not have read this file.
    return Finding("python", "ok", platform.python_version())


def _torch() -> Finding:
    try:
        version = metadata.version("torch")
    except metadata.PackageNotFoundError:
        return Finding("torch", "missing", "not installed", "pip install kolm-cli")
    import torch

    # Built for another torch, it fails here instead of in the middle of a run.
    importlib.import_module("torchvision")
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU only"
    if torch.version.cuda is None and Path("/dev/nvidia0").exists():
        return Finding(
            "torch", "limited", f"{version}, {build}, beside an NVIDIA GPU",
            "pip install --force-reinstall torch torchvision",
        )  # fmt: skip
    if torch.version.cuda and Path("/dev/nvidia0").exists() and not torch.cuda.is_available():
        return Finding(
            "torch", "limited", f"{version}, {build}, which the NVIDIA driver here does not run",
            f"install a driver for CUDA {torch.version.cuda}, or an older build of torch",
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
    # Installing it would change nothing: no run of kolm's loads a quantized base.
    unused = "not used: kolm has no quantized bases yet"
    try:
        return Finding("bitsandbytes", "ok", f"{metadata.version('bitsandbytes')}, {unused}")
    except metadata.PackageNotFoundError:
        return Finding("bitsandbytes", "ok", f"none; {unused}")


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
    if not there.is_dir():
        return Finding(
            "disk", "missing", f"{place} cannot be made: {there} is a file",
            "set KOLM_HOME to a folder",
        )  # fmt: skip
    free = shutil.disk_usage(there).free
    what = f"{free / GIB:.1f} GiB free at {place}"
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(bytes(_A_BLOCK))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Finding("disk", "missing", f"full: {what}", _MORE_ROOM)
        return Finding(
            "disk", "missing", f"{place} cannot be written: {error.strerror}",
            "set KOLM_HOME to a folder that can be written",
        )  # fmt: skip
    if free < _DISK_ENOUGH:
        return Finding("disk", "limited", what, _MORE_ROOM)
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
    except Exception as error:
        # Each version of the library has other errors for a network that is not there.
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
    if not home_path().is_dir():
        return Finding("keys", "ok", "none yet; the first compile makes one")
    try:
        states = [key.state for key in stored_keys()]
    except KolmError as error:
        what = "; ".join(f"{problem.where} {problem.what}" for problem in error.problems)
        return Finding("keys", "missing", what, "move that file out of the folder of keys")
    if not states:
        return Finding("keys", "ok", "none yet; the first compile makes one")
    return Finding("keys", "ok", ", ".join(f"{states.count(s)} {s}" for s in dict.fromkeys(states)))


def _registry() -> Finding:
    from kolm_cli.registry.store import Registry

    if importlib.util.find_spec("httpx") is None:
        return Finding(
            "registry", "limited", "local only: httpx is not installed",
            "pip install 'kolm-cli[registry]'",
        )  # fmt: skip
    try:
        stored = len(Registry().index().entries)
    except KolmError as error:
        [problem, *_] = error.problems
        return Finding("registry", "missing", str(problem), "kolm registry check says more")
    return Finding("registry", "ok", f"local and remote; {stored} stored here")


CHECKS: tuple[tuple[str, Callable[[], Finding]], ...] = (
    ("python", _python),
    ("torch", _torch),
    ("gpu", _devices),
    ("accelerate", _accelerate),
    ("attention", _attention),
    ("bitsandbytes", _bitsandbytes),
    ("shared memory", _shared_memory),
    ("disk", _disk),
    ("hub", _hub),
    ("keys", _keys),
    ("registry", _registry),
)
