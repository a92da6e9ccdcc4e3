"""What a collection lists may be gone when it looks: it goes on, and counts what it removed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kolm_cli.core.home import private_folder
from kolm_cli.core.progress import Silent
from kolm_cli.pipeline.old_runs import remove_runs
from kolm_cli.registry.blobs import Blobs
from kolm_cli.registry.check import check
from kolm_cli.registry.collect import collect
from kolm_cli.registry.names import Tag
from kolm_cli.registry.store import Registry
from kolm_cli.registry.workspace import Workspace
from tests.registry.helpers import bundle
from tests.registry.processes import ended, fork

QUIET = Silent()


def test_commands_that_begin_and_end_beside_a_collection(tmp_path: Path) -> None:
    """Leases come and go without the lock that a collection holds."""
    Registry().push(bundle(tmp_path / "a.kolm").path, Tag("x", "1"), QUIET)

    def working() -> None:
        for _ in range(300):
            with Registry().at_work() as lease:
                for _ in range(4):
                    lease.temporary().write_bytes(b"half a blob")

    def collecting() -> None:
        for _ in range(300):
            collect(Registry())

    children = [fork(working), fork(working), fork(collecting), fork(collecting)]
    assert [ended(child) for child in children] == [0] * 4
    assert not check(Registry(), QUIET).problems
    assert not list((Registry().root / ".kolm" / "leases").iterdir())


def after(method: Callable[..., list[str]], then: Callable[[], None]) -> Callable[..., list[str]]:
    """The same method; once it has listed something, `then` happens."""

    def run(*arguments: object) -> list[str]:
        found = method(*arguments)
        then()
        return found

    return run


@pytest.mark.parametrize("dry_run", [False, True])
def test_listed_blobs_and_leases_that_are_gone(
    dry_run: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry()
    registry.push(bundle(tmp_path / "a.kolm").path, Tag("x", "1"), QUIET)
    unneeded = registry.blobs.path("0" * 64)
    unneeded.write_bytes(b"superfluous")
    killed = registry.root / ".kolm" / "leases" / "1-killed"
    killed.mkdir()
    (killed / "half").write_bytes(b"half a blob")
    monkeypatch.setattr(Blobs, "names", after(Blobs.names, lambda: unneeded.unlink(True)))
    gone = after(Workspace.abandoned, lambda: shutil.rmtree(killed, ignore_errors=True))  # type: ignore[arg-type]
    monkeypatch.setattr(Workspace, "abandoned", gone)
    done = collect(registry, dry_run=dry_run)
    assert (done.blobs, done.bytes) == (0, 0), "only what was there is counted"
    assert not check(registry, QUIET).problems


def test_two_collections_of_old_runs(home: Path) -> None:
    for number in range(150):
        folder = private_folder("runs", f"{number:064x}", "data")
        for name in "abcd":
            (folder / name).write_bytes(b"x")

    def removing() -> None:
        remove_runs(days=0)

    children = [fork(removing) for _ in range(3)]
    assert [ended(child) for child in children] == [0] * 3
    assert not list((home / "runs").iterdir())
    assert not list((home / "tmp").iterdir())
