"""Checkpoints that a killed run resumes from: complete, or not used."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kolm_cli.core.seals import read_seal

_NAME = re.compile(r"checkpoint-(\d+)")


def latest(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The newest sealed checkpoint under `folder` and the state in its seal.

    Unusable ones are removed, so only one process of a run may ask.
    """
    numbered = [
        (int(match[1]), path)
        for path in folder.glob("checkpoint-*")
        if (match := _NAME.fullmatch(path.name))
    ]
    for _, path in sorted(numbered, reverse=True):
        state = read_seal(path)
        if state is not None:
            return path, state
        shutil.rmtree(path)
    return None


def step_of(folder: Path) -> int:
    """The optimizer step after which the checkpoint was written."""
    match = _NAME.fullmatch(folder.name)
    if match is None:
        raise ValueError(f"{folder.name} is no checkpoint")
    return int(match[1])


def going_on(folder: Path, state: Mapping[str, Any]) -> str:
    """Where a run goes on from a checkpoint, in words.

    Args:
        folder: the checkpoint.
        state: what its seal holds.
    """
    done = step_of(folder)
    if done == state.get("steps_planned"):  # stopped while it was evaluated for the last time
        return f"after step {done}, the last one"
    return f"at step {done + 1}"
