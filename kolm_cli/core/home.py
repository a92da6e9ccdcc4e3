"""Where kolm keeps what outlives one command: `$KOLM_HOME`, by default `~/.kolm`."""

from __future__ import annotations

import os
from pathlib import Path

from kolm_cli.core.files import expanded


def home_path() -> Path:
    """Where the home folder is, whether or not it exists: for commands that only look."""
    return expanded(os.environ.get("KOLM_HOME") or Path.home() / ".kolm").absolute()


def kolm_home() -> Path:
    """The home folder, created private (0700) on first use."""
    home = home_path()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home


def private_folder(*parts: str) -> Path:
    """A folder (0700) under the home, created when it is missing."""
    folder = kolm_home().joinpath(*parts)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
