"""`kolm gc --runs DAYS`: old runs go, what is at work and what is bundled stays."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from tests.support.jobs import Job

TWO_DAYS = 2 * 24 * 3600


def _run(home: Path, name: str, *, age: float) -> Path:
    run = home / "runs" / name
    (run / "data").mkdir(parents=True)
    (run / "data" / "images.bin").write_bytes(b"x" * 1000)
    written = time.time() - age
    for path in (run / "data" / "images.bin", run / "data", run):
        os.utime(path, (written, written))
    return run


def test_old_runs_go_and_others_stay(tmp_path: Path) -> None:
    job = Job(tmp_path)
    old, new = (
        _run(job.home, "a" * 64, age=TWO_DAYS),
        _run(job.home, "b" * 64, age=3600),
    )
    written_to = _run(job.home, "c" * 64, age=TWO_DAYS)
    (written_to / "data" / "images.bin").write_bytes(b"y")
    assert "runs" not in job.kolm("gc", "--json").json
    dry = job.kolm("gc", "--runs", "1", "--dry-run", "--json")
    assert dry.json["runs"]["runs"] == [old.name]
    assert old.exists()
    done = job.kolm("gc", "--runs", "1")
    assert done.code == 0, done.err
    assert "1 runs, " in done.out
    assert (old.exists(), new.exists(), written_to.exists()) == (False, True, True)
    assert not list((job.home / "tmp").iterdir())


def test_a_run_that_a_compile_is_at_work_on_stays(tmp_path: Path) -> None:
    job = Job(tmp_path)
    run = _run(job.home, "a" * 64, age=TWO_DAYS)
    lock = job.home / "locks" / f"{run.name}.lock"
    lock.parent.mkdir()
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert job.kolm("gc", "--runs", "0", "--json").json["runs"]["runs"] == []
        assert run.exists()
    assert job.kolm("gc", "--runs", "0", "--json").json["runs"]["runs"] == [run.name]
    assert not run.exists()


def test_a_negative_age_is_exit_2(tmp_path: Path) -> None:
    assert Job(tmp_path).kolm("gc", "--runs", "-1").code == 2
