"""What a run ran on, for the receipt; none of it stands under the CID."""

from __future__ import annotations

import platform
from typing import Any

import torch

from kolm_cli.core.versions import installed_versions


def describe_environment(device: str, processes: int) -> dict[str, Any]:
    """Versions, device and threads; no host name, user or path."""
    facts: dict[str, Any] = {
        "device": torch.cuda.get_device_name(0) if device == "cuda" else platform.machine(),
        "accelerator": device,
        "processes": processes,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "system": platform.system(),
        "versions": installed_versions(),
    }
    if device == "cuda":
        facts["cuda"] = torch.version.cuda
    return facts
