"""What tests of the whole program share: the real command, tiny bases, small jobs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.jobs import Compiled, Job, write_rows


@pytest.fixture(scope="session", autouse=True)
def offline() -> Iterator[None]:
    """No test may reach a hub, or print colours."""
    before = dict(os.environ)
    os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1", NO_COLOR="1")
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A random base of a family, made once a session."""
    from kolm_cli.families.catalog import by_name
    from kolm_cli.families.tiny.catalog import write_tiny

    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in made:
            folder = tmp_path_factory.mktemp("bases") / name
            family = by_name(name)
            assert family is not None
            write_tiny(family, folder, seed=0, width=64, layers=2)
            made[name] = folder
        return made[name]

    return make


@pytest.fixture(scope="session")
def new_job(
    tmp_path_factory: pytest.TempPathFactory, tiny_base: Callable[[str], Path]
) -> Callable[..., Job]:
    """Makes jobs: a tiny base, 16 training rows, 6 evaluation rows, a spec."""

    def make(family: str = "qwen2_5_vl", *, rows: int = 16, **sections: Any) -> Job:
        job = Job(tmp_path_factory.mktemp("job"))
        (job.folder / "base").symlink_to(tiny_base(family))
        write_rows(job.folder / "train.jsonl", rows)
        write_rows(job.folder / "eval.jsonl", 6, first=10_000)
        job.write_spec(**sections)
        return job

    return make


@pytest.fixture(scope="session")
def compiled(new_job: Callable[..., Job]) -> Compiled:
    """One real compile that many tests look at; none of them may change it."""
    job = new_job()
    done = job.kolm("compile", "spec.yaml", "--json")
    assert done.code == 0, done.err
    return Compiled(job, done.json)
