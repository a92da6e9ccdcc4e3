"""What a run ran on, for the receipt; none of it is under the CID."""

from __future__ import annotations

import platform
from typing import Any

import torch

from kolm_cli.core.versions import installed_versions
from kolm_cli.trainer.devices import Determinism, hardware


def describe_environment(
    device: str, processes: int, attention: str, determinism: Determinism
) -> dict[str, Any]:
    """Versions, device and how it computed; no host name, user or path."""
    facts: dict[str, Any] = {
        "device": hardware(device),
        "accelerator": device,
        "processes": processes,
        "threads": torch.get_num_threads(),
        "attention": attention,
        # Operations that gave other bits each time: with any, no CID is promised.
        "nondeterministic_operations": list(determinism.without),
        "python": platform.python_version(),
        "system": platform.system(),
        "versions": installed_versions(),
    }
    if device == "cuda":
        facts["cuda"] = torch.version.cuda
        facts["tf32"] = torch.backends.cuda.matmul.allow_tf32
    return facts


def measured_memory(device: str) -> dict[str, Any]:
    """What a GPU's allocator saw since its peaks were reset; nothing for a CPU."""
    if device != "cuda":
        return {}
    return {
        "peak_bytes": torch.cuda.max_memory_allocated(),
        "reserved_bytes": torch.cuda.max_memory_reserved(),
    }
