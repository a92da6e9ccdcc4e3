"""A registry that fails on demand, and a client that does not wait long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kolm_cli.bundle.build import Built
from kolm_cli.registry.remote import patience, send
from tests.registry.fake_registry import FakeRegistry, serving
from tests.registry.helpers import bundle


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PAUSE", 0.001)
    monkeypatch.setattr(send, "PIECE", 100_000)


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with serving() as running:
        yield running


@pytest.fixture
def built(tmp_path: Path) -> Built:
    """A bundle with one file of 450 kB."""
    return bundle(tmp_path / "a.kolm", padding=450_000)
