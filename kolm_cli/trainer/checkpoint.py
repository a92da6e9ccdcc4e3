"""Checkpoints that a killed run resumes from: complete, or not used."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from kolm_cli.core import digests
from kolm_cli.core.files import write_atomic

MARKER = "kolm-checkpoint.json"
_NAME = re.compile(r"checkpoint-(\d+)")


def seal(folder: Path, state: dict[str, Any]) -> None:
    """Write the marker, last: the digest of every file, and kolm's own state.

    The Trainer writes checkpoints in place, so that one cut short looks like a whole one.
    """
    files = {
        str(path.relative_to(folder)): digests.sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MARKER
    }
    marker = {"files": files, "state": state}
    write_atomic(folder / MARKER, json.dumps(marker, sort_keys=True).encode(), mode=0o600)


def read(folder: Path) -> dict[str, Any] | None:
    """Kolm's state in a sealed, undamaged checkpoint; None for any other."""
    try:
        marker = json.loads((folder / MARKER).read_bytes())
        for name, sha256 in marker["files"].items():
            if digests.sha256_file(folder / name) != sha256:
                return None
    except (OSError, ValueError, KeyError, TypeError):
        # Whatever is wrong with it, it is not a checkpoint to continue from.
        return None
    state: dict[str, Any] = marker["state"]
    return state


def latest(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The newest usable checkpoint under `folder` and its state.

    Unusable ones are removed, so only one process of a run may ask.
    """
    numbered = [
        (int(match[1]), path)
        for path in folder.glob("checkpoint-*")
        if (match := _NAME.fullmatch(path.name))
    ]
    for _, path in sorted(numbered, reverse=True):
        state = read(path)
        if state is not None:
            return path, state
        shutil.rmtree(path)
    return None
