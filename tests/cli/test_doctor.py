"""`kolm doctor`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kolm_cli.pipeline import doctor
from kolm_cli.trainer import data_workers
from tests.support.command import Done


def test_every_thing_is_looked_at(kolm: Callable[..., Done]) -> None:
    done = kolm("doctor", "--json")
    assert done.code == 0, done.err
    found = {finding["name"]: finding for finding in done.json["findings"]}
    assert list(found) == [
        "python", "torch", "gpu", "accelerate", "attention", "bitsandbytes", "shared memory",
        "disk", "hub", "keys", "registry",
    ]  # fmt: skip
    assert all(finding["fix"] for finding in found.values() if finding["state"] != "ok")
    # The tests are offline.
    assert found["hub"]["state"] == "limited"
    assert "sdpa" in found["attention"]["what"]


def test_a_line_a_thing(kolm: Callable[..., Done]) -> None:
    done = kolm("doctor")
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == len(doctor.CHECKS)
    assert "hub            limited" in done.out
    assert "-> unset HF_HUB_OFFLINE" in done.out


def test_what_is_missing_ends_with_5(
    kolm: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KOLM_SIGNING_KEY", str(tmp_path / "none.pem"))
    done = kolm("doctor")
    assert done.code == 5
    assert "KOLM_SIGNING_KEY names no file  -> unset it" in done.out


def test_little_shared_memory_is_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_workers, "free_shared_memory", lambda: 64 << 20)
    [found] = [f for f in doctor.examine() if f.name == "shared memory"]
    assert found.state == "limited"
    assert "--shm-size" in found.fix
