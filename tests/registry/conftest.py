"""Every test has a home of its own; bundles come from the bundle tests' factory."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("KOLM_HOME", str(folder))
    for name in ("KOLM_SIGNING_KEY", "KOLM_KEY_PASSPHRASE"):
        monkeypatch.delenv(name, raising=False)
    # No credentials of the person who runs the tests.
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return folder
