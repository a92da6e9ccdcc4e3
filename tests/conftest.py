"""What all tests share: a home of their own, the command, tiny bases, one compiled bundle."""

from __future__ import annotations

import functools
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import command
from tests.support.jobs import Compiled, Job, write_rows
from tests.support.shared import Shared

pytest_plugins = ["tests.support.case_fixtures"]


def pytest_configure() -> None:
    """No test may reach a hub, or print colours; libraries read this when they are imported."""
    os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1", NO_COLOR="1")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a home of its own, and nothing of the person who runs it."""
    folder = tmp_path / "home"
    monkeypatch.setenv("KOLM_HOME", str(folder))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    for name in ("KOLM_SIGNING_KEY", "KOLM_KEY_PASSPHRASE"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def kolm(tmp_path: Path) -> Callable[..., command.Done]:
    """Run a command in the test's folder."""
    return functools.partial(command.kolm, cwd=tmp_path)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """Work that is done once for a whole run."""
    return Shared(tmp_path_factory)


@pytest.fixture(scope="session")
def tiny_base(shared: Shared) -> Callable[..., Path]:
    """A random base of a family; the first variant unless told."""
    from kolm_cli.families.catalog import by_name
    from kolm_cli.families.tiny.catalog import makers, write_tiny

    def make(name: str, variant: str = "") -> Path:
        family = by_name(name)
        assert family is not None
        chosen = variant or next(iter(makers(family)))
        return shared.once(
            f"bases/{'-'.join(filter(None, (name, chosen)))}",
            lambda folder: write_tiny(family, folder, seed=0, width=64, layers=2, variant=chosen),
        )

    return make


@pytest.fixture(scope="session")
def new_job(
    tmp_path_factory: pytest.TempPathFactory, tiny_base: Callable[[str], Path]
) -> Callable[..., Job]:
    """Makes jobs: a tiny base, 16 training rows, 6 evaluation rows, a spec."""

    def make(
        family: str = "qwen2_5_vl", *, rows: int = 16, folder: Path | None = None, **sections: Any
    ) -> Job:
        job = Job(folder or tmp_path_factory.mktemp("job"))
        (job.folder / "base").symlink_to(tiny_base(family))
        write_rows(job.folder / "train.jsonl", rows)
        write_rows(job.folder / "eval.jsonl", 6, first=10_000)
        job.write_spec(**sections)
        return job

    return make


@pytest.fixture(scope="session")
def compiled(shared: Shared, new_job: Callable[..., Job]) -> Compiled:
    """One real compile that many tests look at; none of them may change it."""

    def make(folder: Path) -> None:
        done = new_job(folder=folder).kolm("compile", "spec.yaml", "--json")
        assert done.code == 0, done.err
        (folder / "report.json").write_text(done.out)

    folder = shared.once("compiled", make)
    return Compiled(Job(folder), json.loads((folder / "report.json").read_bytes()))


@pytest.fixture
def own_compiled(compiled: Compiled, tmp_path: Path) -> Compiled:
    """A copy of it, for a test that changes something.

    The copy stands elsewhere, under the same CID.
    """
    folder = tmp_path / "compiled"
    shutil.copytree(compiled.job.folder, folder, symlinks=True)
    report = json.loads(json.dumps(compiled.report).replace(str(compiled.job.folder), str(folder)))
    return Compiled(Job(folder), report)
