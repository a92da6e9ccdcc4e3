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
    files = {
        str(path.relative_to(folder)): digests.sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != SEAL
    }
    content = {"files": files, "state": state or {}}
    write_atomic(folder / SEAL, json.dumps(content, sort_keys=True).encode(), mode=0o600)


def read_seal(folder: Path) -> dict[str, Any] | None:
    """The state in the seal; None when there is no seal or a file is not what it was."""
    try:
        content = json.loads((folder / SEAL).read_bytes())
        for name, sha256 in content["files"].items():
            if digests.sha256_file(folder / name) != sha256:
                return None
        state: dict[str, Any] = content["state"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # Whatever is wrong with it, the folder is not a complete one.
        return None
    return state


def is_sealed(folder: Path) -> bool:
    """Whether the folder was completed and every file still is what it was."""
    return read_seal(folder) is not None
