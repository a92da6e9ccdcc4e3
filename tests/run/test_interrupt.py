"""Killed, interrupted, resumed: the result is the same, and no process is left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support.jobs import Job

STEPS = {"num_train_epochs": 40, "save_steps": 10, "per_device_train_batch_size": 4}


def adapter_of(bundle: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(bundle) as archive:
        names = [n for n in archive.namelist() if n.startswith("adapter/")]
        assert "adapter/projector.safetensors" in names
        return {name: archive.read(name) for name in names}


def wait_for_checkpoint(job: Job, process: subprocess.Popen[str]) -> None:
    """Until the first checkpoint is sealed, while training goes on."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        if list((job.home / "runs").glob("*/checkpoints/checkpoint-*/sealed.json")):
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    pytest.fail("no checkpoint appeared")


def family_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def wait_until_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=45)
    assert not alive, [p.cmdline() for p in alive]


@pytest.fixture(scope="module")
def uninterrupted(new_job: Callable[..., Job]) -> dict[str, bytes]:
    job = new_job(train=STEPS)
    done = job.kolm("compile", "spec.yaml", "--json")
    assert done.code == 0, done.err
    return adapter_of(Path(done.json["bundle"]))


def test_sigkill_resumes_to_the_same_bytes(
    new_job: Callable[..., Job], uninterrupted: dict[str, bytes]
) -> None:
    job = new_job(train=STEPS)
    process = job.start("compile", "spec.yaml", "--json")
    wait_for_checkpoint(job, process)
    family = family_of(process)
    process.kill()
    for member in family:
        member.kill()
    process.wait()
    wait_until_gone(family)
    assert not (job.folder / "dist").exists()
    assert not list((job.home / "runs").glob("*/trained/sealed.json")), "training had ended"
    done = job.kolm("compile", "spec.yaml", "--json")
    assert done.code == 0, done.err
    assert adapter_of(Path(done.json["bundle"])) == uninterrupted


def test_the_worker_ends_when_only_its_parent_is_killed(new_job: Callable[..., Job]) -> None:
    job = new_job(train=STEPS)
    process = job.start("compile", "spec.yaml", "--json")
    wait_for_checkpoint(job, process)
    family = family_of(process)
    process.kill()
    process.wait()
    wait_until_gone(family)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_signals_end_in_order_and_the_run_resumes(
    new_job: Callable[..., Job], uninterrupted: dict[str, bytes], number: signal.Signals
) -> None:
    job = new_job(train=STEPS)
    process = job.start("compile", "spec.yaml", "--json")
    wait_for_checkpoint(job, process)
    family = family_of(process)
    os.kill(process.pid, number)
    # People press Ctrl-C twice: that is one wish, and the checkpoint is still written whole.
    time.sleep(0.3)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=90)
    assert process.returncode == 130, err
    [step] = re.findall(r"the same command again resumes at step (\d+)", err)
    assert int(step) > 10
    wait_until_gone(family)
    if number == signal.SIGTERM:
        return  # the same path from here on
    done = job.kolm("compile", "spec.yaml", "--json")
    assert done.code == 0, done.err
    assert f"resuming at step {step}" in done.err
    assert adapter_of(Path(done.json["bundle"])) == uninterrupted
