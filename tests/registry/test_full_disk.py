"""A full disk leaves the registry as it was."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from kolm_cli.core.errors import LackingError
from kolm_cli.registry.check import check
from kolm_cli.registry.names import Tag
from kolm_cli.registry.store import Registry
from tests.registry.helpers import bundle
from tests.registry.processes import QUIET, ended, fetch, fork
from tests.support.command import kolm


def test_a_full_disk_leaves_the_registry_as_it_was(tmp_path: Path, home: Path) -> None:
    small, large = bundle(tmp_path / "a.kolm", 1), bundle(tmp_path / "b.kolm", 2, padding=400_000)
    registry = Registry()
    registry.push(small.path, Tag("x", "1"), QUIET)
    before = registry.index()

    def push() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        with pytest.raises(LackingError, match="no space is left"):
            registry.push(large.path, Tag("x", "1"), QUIET)

    assert ended(fork(push)) == 0
    assert registry.index() == before
    assert not check(registry, QUIET).problems
    assert not list((home / "registry" / ".kolm" / "leases").iterdir())
    registry.push(large.path, Tag("x", "2"), QUIET)

    def take() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        with pytest.raises(LackingError, match="no space is left"):
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
        assert "no space is left" in full.err
        assert kolm("registry", "check", **env).code == 0
        done = kolm("pull", "x:1", "--out", disk / "o.kolm", "--allow-untrusted", **env)
        assert done.code == 0, done.err
        assert (disk / "o.kolm").read_bytes() == small.path.read_bytes()
    finally:
        subprocess.run(["umount", disk], check=True)
