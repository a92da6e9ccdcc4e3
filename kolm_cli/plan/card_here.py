"""What this machine computes on, for a plan before it is used: its GPU, or its processor."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch

from kolm_cli.core.processors import available_processors
from kolm_cli.plan.cards import ASSUMED, CARDS, Assumed, Card

# What `torch.cuda.get_device_name` says of each.
_NAMES = {
    "a100-80gb": ("A100", "80GB"),
    "a100-40gb": ("A100", "40GB"),
    "h200": ("H200",),
    "h100": ("H100",),
    "l40s": ("L40S",),
    "l4": ("L4",),
    "a10": ("A10",),
    "rtx4090": ("RTX 4090",),
    "rtx3090": ("RTX 3090",),
    "t4": ("T4",),
}
_SIDE = 1024
_COPIED = 64 << 20
_CGROUP = Path("/sys/fs/cgroup/memory.max")


def sheet_of(device: str) -> Card | None:
    """The sheet of a device, by the name that torch gives it."""
    words = device.replace("-", " ")
    for name, needed in _NAMES.items():
        if all(f" {part} " in f" {words} " for part in needed):
            return CARDS[name]
    return None


def card_here() -> Card:
    """The first GPU of this machine, with the memory that torch says it has.

    Where no sheet is known, it has no speed, and a plan no time.
    """
    properties = torch.cuda.get_device_properties(0)
    sheet = sheet_of(properties.name)
    if sheet is not None:
        return replace(sheet, title=properties.name, memory=properties.total_memory)
    bf16 = 1.0 if torch.cuda.is_bf16_supported() else 0.0
    return Card("here", properties.name, properties.total_memory, bf16, 0.0, 0.0, "")


def processor_here() -> Card:
    """This machine's processor as a card: there is no sheet, so that each number is measured.

    It takes a second. What a process has besides tensors is what this one has now.
    """
    fp32, bf16 = (_product_rate(dtype) for dtype in (torch.float32, torch.bfloat16))
    values = torch.zeros(_COPIED // 4)
    target = torch.empty_like(values)
    moved = 2 * _COPIED / _least(lambda: target.copy_(values))
    small = torch.zeros(8)
    launch = _least(lambda: [small.add(1) for _ in range(100)]) / 100
    given = Assumed(
        math=1.0,
        bandwidth=1.0,
        launch_seconds=launch,
        wait_seconds=0.0,
        context=_resident(),
        slack=ASSUMED.slack,
        sources=("operations, bandwidth, launch and what a process has: measured here",),
    )
    return Card(
        "cpu",
        f"{available_processors()} processors, {platform.machine()}",
        memory_here(),
        bf16,
        fp32,
        moved,
        f"measured here with {torch.get_num_threads()} threads",
        given,
    )


def free_memory(device: Literal["cuda", "cpu"]) -> int:
    """Bytes that are free on the device."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(int(free), memory_here() - _resident())


def memory_here() -> int:
    """Bytes of memory that this process may have: the machine's, within its cgroup's limit."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(whole, int(_CGROUP.read_text()))
    except (OSError, ValueError):
        return whole


def _resident() -> int:
    """Bytes that this process has in memory."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return ASSUMED.context
    return pages * os.sysconf("SC_PAGE_SIZE")


def _product_rate(dtype: torch.dtype) -> float:
    """Operations a second of a large product."""
    factor = torch.ones(_SIDE, _SIDE, dtype=dtype)
    return 2 * _SIDE**3 / _least(lambda: factor @ factor)


def _least(work: Callable[[], object], tries: int = 5) -> float:
    """The shortest time of a few: nothing but other work makes one longer."""
    work()
    found = []
    for _ in range(tries):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return max(min(found), 1e-9)
