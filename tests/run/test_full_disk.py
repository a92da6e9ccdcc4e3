"""A disk that is too small is named before training, and one that fills up afterwards."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from kolm_cli.core.errors import LackingError
from kolm_cli.run.faults import describe_fault
from tests.support.command import KOLM
from tests.support.jobs import Job


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a real file system of a given size."""
    mounted: list[Path] = []

    def make(size: str) -> Path:
        folder = tmp_path / f"disk-{size}"
        folder.mkdir()
        options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
        subprocess.run(["mount", *options], check=True)
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        # A failed writer may still hold its file open.
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_too_little_room_is_said_before_training(
    new_job: Callable[..., Job], small_disk: Callable[[str], Path]
) -> None:
    job = new_job()
    home = small_disk("40m") / "home"
    done = job.kolm("compile", "spec.yaml", KOLM_HOME=str(home))
    assert done.code == 5, done.err
    assert "bytes are free, and this run needs about" in done.err
    assert "are missing" in done.err
    assert str(home) in done.err
    assert "resuming" not in done.err
    assert not list(home.glob("runs/*/checkpoints/*"))


@pytest.mark.parametrize("writer", ["safetensors", "torch", "plain"])
def test_a_disk_that_fills_up_is_no_fault_of_the_program(
    small_disk: Callable[[str], Path], writer: str
) -> None:
    folder = small_disk("100k")
    tensors = {"weight": torch.zeros(1 << 20)}
    write: dict[str, Callable[[], object]] = {
        "safetensors": lambda: save_file(tensors, folder / "a.safetensors"),
        "torch": lambda: torch.save(tensors, folder / "a.pt"),
        "plain": lambda: (folder / "a.bin").write_bytes(bytes(4 << 20)),
    }
    with pytest.raises(Exception, match=r".") as caught:
        write[writer]()
    told = describe_fault(caught.value, folder)
    assert isinstance(told, LackingError), caught.value
    assert int(told.exit_code) == 5
    assert "the disk is full" in told.problems[0].what
    assert str(folder) in told.problems[0].where


def test_a_disk_that_fills_up_while_training_is_exit_5(
    new_job: Callable[..., Job], small_disk: Callable[[str], Path]
) -> None:
    """The reason is said although it is written to the very disk that is full."""
    job = new_job(train={"num_train_epochs": 200, "save_steps": 20})
    disk = small_disk("90m")
    process = subprocess.Popen(
        [*KOLM, "compile", "spec.yaml"],
        cwd=job.folder,
        env={**job.env(), "KOLM_HOME": str(disk / "home")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not list(disk.glob("home/runs/*/checkpoints/checkpoint-*")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with (disk / "filler").open("wb") as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(1 << 20))
            filler.flush()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 5, err
    assert "the disk is full" in err
    assert "resumes" in err
