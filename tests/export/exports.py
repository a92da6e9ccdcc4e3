"""What tests of exports share."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn

from kolm_cli.export.base import Source
from kolm_cli.export.catalog import get_format
from kolm_cli.export.folder import write_export
from kolm_cli.families.resolve import resolve_base
from kolm_cli.trainer.base_model import load_base


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    """Every tensor of a folder; of one that is in two files, the one in the later."""
    found = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as opened:
            found |= {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
    return found


def exported(source: Source, to: str, folder: Path) -> Path:
    """A source, written as `kolm export` would."""
    folder.mkdir()
    write_export(source, get_format(to), folder)
    return folder


def loaded(folder: Path) -> nn.Module:
    """The model in a folder, by plain transformers, with nothing missing."""
    return load_base(resolve_base(str(folder)), bf16=False)
