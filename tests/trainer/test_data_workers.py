"""Data workers: none that the machine has no processor or no shared memory for."""

from __future__ import annotations

import shutil

import pytest

from kolm_cli.trainer import data_workers
from kolm_cli.trainer.data_workers import choose_workers

MB = 1 << 20


@pytest.fixture(autouse=True)
def sixteen_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_workers, "available_processors", lambda: 16)


@pytest.mark.parametrize(
    ("batch", "free", "workers"),
    [
        (38 * MB, 64 * MB, 0),  # a container's /dev/shm and one large picture
        (10 * MB, 64 * MB, 2),
        (1 * MB, 64 * MB, 4),
        (38 * MB, 8 << 30, 4),
        (38 * MB, None, 4),
        (38 * MB, 0, 0),
    ],
)
def test_as_many_as_shared_memory_holds(batch: int, free: int | None, workers: int) -> None:
    chosen, note = choose_workers(batch, free)
    assert chosen == workers
    assert bool(note) == (workers < 4)
    if note:
        assert f"of {workers} data workers instead of 4" in note
        assert "--shm-size" in note


def test_no_more_than_there_are_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_workers, "available_processors", lambda: 2)
    assert choose_workers(MB, 8 << 30) == (1, "")


def test_processes_share_what_there_is() -> None:
    """Two of them on one machine have eight of sixteen processors each, and half the memory."""
    assert choose_workers(10 * MB, 64 * MB, 2)[0] == 1
    assert choose_workers(MB, 8 << 30, 8)[0] == 1


def test_what_is_free_is_asked_of_the_system() -> None:
    free = data_workers.free_shared_memory()
    expected = shutil.disk_usage(data_workers.SHARED_MEMORY).free
    assert free is not None
    assert abs(free - expected) < 64 * MB
