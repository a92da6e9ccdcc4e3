"""Many processes at once: nothing that was acknowledged is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kolm_cli.core.progress import Silent
from kolm_cli.registry.check import check
from kolm_cli.registry.collect import collect
from kolm_cli.registry.names import ContentId, Tag
from kolm_cli.registry.pull import pull
from kolm_cli.registry.store import Registry
from tests.registry.helpers import assert_oci_layout, bundle
from tests.registry.processes import NOBODY, QUIET, ended, fetch, fork


def test_eight_processes_pushing_200_tags_lose_none(tmp_path: Path, home: Path) -> None:
    made = [bundle(tmp_path / f"{n}.kolm", n) for n in range(8)]

    def work(number: int) -> Callable[[], None]:
        def run() -> None:
            for step in range(25):
                Registry().push(made[number].path, Tag("x", f"{number}-{step}"), QUIET)

        return run

    children = [fork(work(number)) for number in range(8)]
    assert [ended(child) for child in children] == [0] * 8
    found = {entry.tag: entry.cid for entry in Registry().entries() if entry.tag}
    assert found == {f"x:{n}-{s}": made[n].cid for n in range(8) for s in range(25)}
    assert_oci_layout(home / "registry")
    assert not check(Registry(), QUIET).problems


def test_gc_takes_nothing_from_a_running_push_or_pull(tmp_path: Path) -> None:
    registry = Registry()
    built = bundle(tmp_path / "a.kolm")

    class Collecting(Silent):
        """Collects after every blob."""

        calls = 0

        def advance(self, done: int, **figures: float | str) -> None:
            self.calls += 1
            collect(Registry(), untagged=True)

    pushing = Collecting()
    registry.push(built.path, Tag("x", "1"), pushing)
    assert pushing.calls > 10
    assert not check(registry, QUIET).problems
    assert fetch(registry, Tag("x", "1"), tmp_path) == built.path.read_bytes()

    class Removing(Collecting):
        def advance(self, done: int, **figures: float | str) -> None:
            if self.calls == 0:
                registry.remove(ContentId(built.cid), force=True)
            super().advance(done)

    out = tmp_path / "b.kolm"
    pull(registry, Tag("x", "1"), out, NOBODY, Removing(), allow_untrusted=True)
    assert out.read_bytes() == built.path.read_bytes()
    assert collect(registry).kept == 0
    # And a push of blobs that a collection is about to take keeps them.
    registry.push(built.path, None, pushing)
    assert not check(registry, QUIET).problems


def test_pushes_and_collections_at_once(tmp_path: Path) -> None:
    made = [bundle(tmp_path / f"{n}.kolm", n) for n in range(3)]

    def pushing(number: int) -> Callable[[], None]:
        def run() -> None:
            for step in range(10):
                Registry().push(made[number].path, Tag("x", f"{number}-{step}"), QUIET)
                Registry().push(made[number].path, Tag("y", str(number)), QUIET)
                Registry().remove(Tag("y", str(number)))
                if step % 3 == 2:
                    Registry().remove(ContentId(made[number].cid), force=True)

        return run

    def collecting() -> None:
        for _ in range(40):
            collect(Registry(), untagged=True)

    children = [fork(pushing(n)) for n in range(3)] + [fork(collecting) for _ in range(2)]
    assert [ended(child) for child in children] == [0] * 5
    registry = Registry()
    assert not check(registry, QUIET).problems
    for number in range(3):
        assert fetch(registry, Tag("x", f"{number}-9"), tmp_path) == made[number].path.read_bytes()
