"""Work that is done once for a whole run of the tests, whatever the number of workers."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


class Shared:
    """A folder that all workers of `pytest -n` see, with things made once by whoever is first."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        base = factory.getbasetemp()
        # A worker has a folder of its own inside that of the run.
        self.folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
        self.folder.mkdir(exist_ok=True)

    def once(self, name: str, make: Callable[[Path], None]) -> Path:
        """The folder `name`, which `make` fills the first time that it is asked for.

        Others wait until it is whole. Nobody may change it afterwards.
        """
        folder = self.folder / name
        folder.parent.mkdir(parents=True, exist_ok=True)
        done = folder.with_name(f"{folder.name}.done")
        with folder.with_name(f"{folder.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                done.touch()
        return folder
