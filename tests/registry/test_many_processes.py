"""Many processes at once, kills at any moment, a full disk: nothing acknowledged is lost."""

from __future__ import annotations

import os
import random
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from kolm_cli.bundle.build import Built
from kolm_cli.core.errors import InputError, LackingError
from kolm_cli.core.progress import Silent
from kolm_cli.registry.check import check
from kolm_cli.registry.collect import collect
from kolm_cli.registry.names import ContentId, Tag
from kolm_cli.registry.pull import pull
from kolm_cli.registry.store import Registry
from tests.bundle import factory
from tests.registry.helpers import assert_oci_layout, bundle, kolm

QUIET = Silent()
NOBODY = factory.trusting()


def fork(work: Callable[[], None]) -> int:
    """Run `work` in a process of its own; returns its id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException as error:
            sys.stderr.write(f"{error!r}\n")
        finally:
            os._exit(code)
    return child


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def fetch(registry: Registry, reference: Tag | ContentId, folder: Path) -> bytes:
    out = folder / "fetched.kolm"
    pull(registry, reference, out, NOBODY, QUIET, allow_untrusted=True)
    return out.read_bytes()


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


# Calls into the interpreter's C code around which a file or a folder changes, or a lock is held.
FILE_CALLS = {
    "open", "write", "writelines", "flush", "__exit__", "truncate", "fsync", "replace", "rename",
    "unlink", "mkdir", "rmdir", "chmod", "flock",
}  # fmt: skip


def life(made: list[Built], folder: Path, told: Callable[[str], None]) -> None:
    """Push, tag, pull, remove and collect; `told` is what a user was told is done."""
    registry = Registry()
    for number, built in enumerate(made):
        registry.push(built.path, Tag("kept", str(number)), QUIET)
        told(f"kept:{number} {built.cid}")
        registry.push(built.path, Tag("scratch", "1"), QUIET)
        registry.tag(ContentId(built.cid), Tag("also", str(number)))
        told(f"also:{number} {built.cid}")
        registry.remove(Tag("scratch", "1"))
        out = folder / f"out-{number}.kolm"
        pull(registry, Tag("kept", str(number)), out, NOBODY, QUIET, allow_untrusted=True)
        if number % 2:
            registry.push(made[0].path, None, QUIET)
            extra = bundle(folder / "extra.kolm", 100 + number)
            registry.push(extra.path, None, QUIET)
            collect(registry, untagged=True)
            registry.remove(Tag("also", str(number - 1)))
            registry.tag(Tag("kept", str(number - 1)), Tag("also", str(number - 1)))


def killed_at(moment: int, work: Callable[[], None]) -> tuple[int, list[str]]:
    """Run `work`, killed at a moment; returns its exit and what happens at each moment.

    Moments stand before and after each call, so also between writing and what makes it last.
    """
    read, write = os.pipe()

    def run() -> None:
        moments: list[str] = []

        def profile(frame: FrameType, event: str, called: object) -> None:
            name = getattr(called, "__name__", "")
            if event in ("c_call", "c_return") and name in FILE_CALLS:
                moments.append(f"{event} {name} in {frame.f_code.co_qualname}")
                if len(moments) == moment:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(profile)
        work()
        sys.setprofile(None)
        with os.fdopen(write, "w") as stream:
            stream.write("\n".join(moments))

    child = fork(run)
    os.close(write)
    with os.fdopen(read) as stream:
        moments = stream.read().splitlines()
    return ended(child), moments


def assert_sound(log: Path, made: list[Built], folder: Path, home: Path) -> None:
    """What was acknowledged is there; tidying up works, and a repetition finishes the work."""
    registry = Registry()
    assert not check(registry, QUIET).problems
    by_cid = {built.cid: built.path.read_bytes() for built in made}
    acknowledged = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    for round_ in range(2):
        for ref, cid in acknowledged:
            name, _, tag = ref.partition(":")
            try:
                entry = registry.resolve(Tag(name, tag))
            except InputError:
                # Only these are also removed by the work itself, and given again.
                assert name == "also"
                entry = registry.resolve(ContentId(cid))
            assert entry.cid == cid
            assert fetch(registry, ContentId(cid), folder) == by_cid[cid]
        if round_ == 0:
            collect(registry)
            left = check(registry, QUIET)
            assert not left.problems
            assert (left.superfluous, left.abandoned) == (0, 0)
    for out in folder.glob("out-*.kolm"):
        assert out.read_bytes() in by_cid.values(), "a file that is there is whole"
    if registry.exists:
        assert_oci_layout(home / "registry")


def kills(count: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Kill at random moments, each of another kind, so that rare ones are met too.

    Args:
        count: how many; every kind once when None.
    """
    made = [bundle(tmp_path / f"{n}.kolm", n) for n in range(2)]
    draw = random.Random()  # noqa: S311  # moments, not secrets

    def attempt(number: int, moment: int) -> tuple[int, list[str]]:
        folder = tmp_path / f"try-{number}"
        folder.mkdir()
        monkeypatch.setenv("KOLM_HOME", str(folder / "home"))
        log = folder / "log"

        def told(line: str) -> None:
            with log.open("a") as stream:
                stream.write(line + "\n")

        result = killed_at(moment, lambda: life(made, folder, told))
        assert_sound(log, made, folder, folder / "home")
        if result[0] != 0:
            life(made, folder, told)
            assert_sound(log, made, folder, folder / "home")
        return result

    code, moments = attempt(0, -1)
    assert code == 0
    kinds = sorted(set(moments))
    assert len(kinds) > 50
    draw.shuffle(kinds)
    for number, kind in enumerate(kinds[:count], 1):
        moment = draw.choice([n for n, name in enumerate(moments, 1) if name == kind])
        print(f"killed at {moment}, {kind}")  # shown when the test fails
        # Names of processes vary, and with them a few moments: the last may not come.
        assert attempt(number, moment)[0] == -signal.SIGKILL or moment > len(moments) - 20
    return len(kinds)


def test_a_kill_at_any_moment_loses_nothing_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills(12, tmp_path, monkeypatch)


@pytest.mark.slow
def test_a_kill_at_every_kind_of_moment_loses_nothing_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kills(None, tmp_path, monkeypatch) >= 50


def test_a_full_disk_leaves_the_registry_as_it_was(tmp_path: Path, home: Path) -> None:
    small, large = bundle(tmp_path / "a.kolm", 1), bundle(tmp_path / "b.kolm", 2, padding=400_000)
    registry = Registry()
    registry.push(small.path, Tag("x", "1"), QUIET)
    before = registry.index()

    def push() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        with pytest.raises(LackingError, match="no room is left"):
            registry.push(large.path, Tag("x", "1"), QUIET)

    assert ended(fork(push)) == 0
    assert registry.index() == before
    assert not check(registry, QUIET).problems
    assert not list((home / "registry" / ".kolm" / "leases").iterdir())
    registry.push(large.path, Tag("x", "2"), QUIET)

    def take() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        with pytest.raises(LackingError, match="no room is left"):
            fetch(registry, Tag("x", "2"), tmp_path)

    assert ended(fork(take)) == 0
    assert not (tmp_path / "fetched.kolm").exists()
    assert not list(tmp_path.glob(".*.tmp"))
    assert fetch(registry, Tag("x", "2"), tmp_path) == large.path.read_bytes()


@pytest.mark.interop
def test_a_really_full_disk_exits_5(tmp_path: Path) -> None:
    """Needs root, to mount a small file system."""
    import subprocess

    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk], check=True)
    try:
        small = bundle(tmp_path / "a.kolm", 1)
        large = bundle(tmp_path / "b.kolm", 2, padding=800_000)
        env = {"KOLM_HOME": str(disk / "home")}
        assert kolm("push", small.path, "x:1", **env).code == 0
        full = kolm("push", large.path, "x:1", **env)
        assert full.code == 5
        assert "no room is left" in full.err
        assert kolm("registry", "check", **env).code == 0
        done = kolm("pull", "x:1", "--out", disk / "o.kolm", "--allow-untrusted", **env)
        assert done.code == 0, done.err
        assert (disk / "o.kolm").read_bytes() == small.path.read_bytes()
    finally:
        subprocess.run(["umount", disk], check=True)
