"""What Ctrl-C means, once, twice and again; and what is said to be left."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from kolm_cli.core.seals import seal
from kolm_cli.run import signals
from kolm_cli.run.folder import RunFolder
from kolm_cli.run.launch import what_is_kept
from kolm_cli.run.signals import StopSignals


def test_a_double_press_is_one_wish() -> None:
    with StopSignals() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.received == signal.SIGINT
        assert not stop.at_once


def test_a_later_press_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "SAME_WISH_SECONDS", -1.0)
    before = signal.getsignal(signal.SIGTERM)
    with StopSignals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.at_once
    assert signal.getsignal(signal.SIGTERM) == before


def checkpoint(run: RunFolder, step: int, *, sealed: bool) -> Path:
    folder = run.checkpoints / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "optimizer.pt").write_bytes(b"weights")
    if sealed:
        seal(folder, {"steps_planned": 20})
    return folder


def test_only_a_whole_checkpoint_is_promised(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    checkpoint(run, 20, sealed=False)
    assert "trains from the beginning" in what_is_kept(run)
    checkpoint(run, 16, sealed=True)
    checkpoint(run, 24, sealed=False)
    assert what_is_kept(run) == "the same command again resumes at step 17"
    checkpoint(run, 20, sealed=True)
    assert what_is_kept(run) == "the same command again resumes after step 20, the last one"


def test_a_trained_adapter_is_not_trained_again(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.trained.mkdir()
    seal(run.trained)
    assert "continues with its evaluation" in what_is_kept(run)
