"""The card of this machine, for a plan before it is used."""

from __future__ import annotations

from dataclasses import replace

import torch

from kolm_cli.plan.cards import CARDS, Card

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
