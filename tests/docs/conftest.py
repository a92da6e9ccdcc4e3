"""Readers of the documents: each page's commands run in a folder of their own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks
from tests.docs.runner import Session

# What makes the tutorial's training take seconds. The rest of it is as the page says.
SMALLER = {
    "rows=2000": "rows=160",
    "num_train_epochs: 5": "num_train_epochs: 1",
    "per_device_train_batch_size: 32": "per_device_train_batch_size: 16",
    "gate: {accuracy: 0.90} ": "gate: {accuracy: 0.0} ",
}


@pytest.fixture(scope="session")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """The tutorial, followed to its end once: its bundle, base, pairs and home."""
    session = Session(tmp_path_factory.mktemp("reader"), dict(SMALLER))
    session.run(blocks(ROOT / "docs" / "tutorial.md"))
    return session


@pytest.fixture
def after_tutorial(tutorial: Session, tmp_path: Path) -> Callable[..., Session]:
    """Makes sessions that begin where the tutorial ended, in a copy of its folder."""

    def make(changes: dict[str, str] | None = None) -> Session:
        folder = tmp_path / "reader"
        shutil.copytree(tutorial.folder, folder, symlinks=True)
        return Session(folder, dict(changes or {}))

    return make
