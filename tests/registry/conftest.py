"""Every test has a home of its own; bundles come from the bundle tests' factory."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "bundle"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("KOLM_HOME", str(folder))
    for name in ("KOLM_SIGNING_KEY", "KOLM_KEY_PASSPHRASE"):
        monkeypatch.delenv(name, raising=False)
    # No credentials of the person who runs the tests.
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return folder
