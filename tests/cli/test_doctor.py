"""`kolm doctor`."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from importlib import metadata
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


def test_a_line_a_thing(kolm: Callable[..., Done], home: Path) -> None:
    done = kolm("doctor")
    assert done.code == 0, done.err
    lines = done.out.replace(str(home), "/home/me/.kolm").splitlines()
    assert sum(not line.startswith(" ") for line in lines) == len(doctor.CHECKS)
    assert all(len(line) <= 100 for line in lines)
    assert "hub            limited" in done.out
    assert "\n               -> unset HF_HUB_OFFLINE" in done.out
    # Nothing that would change nothing is a fix.
    assert "pip install bitsandbytes" not in done.out


def test_what_is_missing_ends_with_5(
    kolm: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KOLM_SIGNING_KEY", str(tmp_path / "none.pem"))
    done = kolm("doctor")
    assert done.code == 5
    assert "KOLM_SIGNING_KEY names no file\n               -> unset it" in done.out


def test_little_shared_memory_is_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_workers, "free_shared_memory", lambda: 64 << 20)
    [found] = [f for f in doctor.examine() if f.name == "shared memory"]
    assert found.state == "limited"
    assert "--shm-size" in found.fix


def found(name: str) -> doctor.Finding:
    [finding] = [f for f in doctor.examine() if f.name == name]
    return finding


@pytest.mark.parametrize(
    ("home", "said"),
    [("/dev/null/x", "/dev/null is a file"), ("/proc/x", "cannot be written")],
)
def test_a_home_that_cannot_be_is_missing(
    home: str, said: str, kolm: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOLM_HOME", home)
    done = kolm("doctor", "--json")
    assert done.code == 5, done.err
    disk = next(f for f in done.json["findings"] if f["name"] == "disk")
    assert disk["state"] == "missing"
    assert said in disk["what"]
    assert "KOLM_HOME" in disk["fix"]


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> object:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", full)
    finding = found("disk")
    assert (finding.state, finding.what[:5]) == ("missing", "full:")
    assert "kolm gc" in finding.fix


def test_looking_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLM_HOME", str(tmp_path / "none"))
    doctor.examine()
    assert not list(tmp_path.iterdir())


def test_libraries_that_are_not_there_or_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is a finding of its own, and the rest is looked at all the same."""

    real = metadata.version

    def version(name: str) -> str:
        if name == "accelerate":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor.metadata, "version", version)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "transformers.utils", None)
    findings = {finding.name: finding for finding in doctor.examine()}
    assert len(findings) == len(doctor.CHECKS)
    assert findings["accelerate"].fix == "pip install kolm-cli"
    assert "torchvision" in findings["torch"].what
    assert findings["torch"].fix == "pip install kolm-cli"
    assert findings["attention"].state == "missing"
    assert findings["disk"].state != "missing"


def test_a_hub_that_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    class ElsewhereError(Exception):
        pass

    def nobody(*_: object, **__: object) -> None:
        raise ElsewhereError

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", nobody)
    finding = found("hub")
    assert finding.state == "limited"
    assert "not reached (ElsewhereError)" in finding.what


def test_a_broken_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLM_HOME", str(tmp_path))
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "index.json").write_text("{")
    finding = found("registry")
    assert finding.state == "missing"
    assert "index.json" in finding.what
    assert finding.fix == "kolm registry check says more"
