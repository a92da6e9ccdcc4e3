"""Where kolm keeps what outlives one command: `$KOLM_HOME`, by default `~/.kolm`."""

from __future__ import annotations

import os
from pathlib import Path


def kolm_home() -> Path:
    """The home folder, created private (0700) on first use."""
    home = Path(os.environ.get("KOLM_HOME") or Path.home() / ".kolm").expanduser().absolute()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home


def private_folder(*parts: str) -> Path:
    """A folder (0700) under the home, created when it is missing."""
    folder = kolm_home().joinpath(*parts)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
