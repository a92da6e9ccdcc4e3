"""Seals: a folder written file by file is complete once its seal, written last, names every file.

Without one, a folder that a kill cut short looks like a whole one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kolm_cli.core import digests
from kolm_cli.core.files import write_atomic

SEAL = "sealed.json"


def seal(folder: Path, state: dict[str, Any] | None = None) -> None:
    """Write the seal: the digest of every file under `folder`, and `state` for who reads it."""
    files = {name: digests.sha256_file(folder / name) for name in _names(folder)}
    content = {"files": files, "state": state or {}}
    write_atomic(folder / SEAL, json.dumps(content, sort_keys=True).encode(), mode=0o600)


def read_seal(folder: Path) -> dict[str, Any] | None:
    """The state in the seal; None when there is none, or the folder is not what it was.

    A file that was put there later counts as much as one that was changed: what is sealed becomes
    a bundle file by file.
    """
    try:
        content = json.loads((folder / SEAL).read_bytes())
        if _names(folder) != sorted(content["files"]):
            return None
        for name, sha256 in content["files"].items():
            if digests.sha256_file(folder / name) != sha256:
                return None
        state: dict[str, Any] = content["state"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # Whatever is wrong with it, the folder is not a complete one.
        return None
    return state


def _names(folder: Path) -> list[str]:
    """All there is but folders and the seal: links, pipes and devices too."""
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(str(path.relative_to(folder)) for path in found if path.name != SEAL)


def is_sealed(folder: Path) -> bool:
    """Whether the folder was completed and every file still is what it was."""
    return read_seal(folder) is not None
