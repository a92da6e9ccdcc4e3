"""Kills at any moment: what was acknowledged is there, and the rest can be tidied."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from kolm_cli.bundle.build import Built
from kolm_cli.core.errors import InputError
from kolm_cli.registry.check import check
from kolm_cli.registry.collect import collect
from kolm_cli.registry.names import ContentId, Tag
from kolm_cli.registry.pull import pull
from kolm_cli.registry.store import Registry
from tests.registry.helpers import assert_oci_layout, bundle
from tests.registry.processes import NOBODY, QUIET, ended, fetch, fork

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
