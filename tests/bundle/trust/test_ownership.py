"""A trust file that others could have written is not believed, as ssh does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.trust.file import add_key, load_policy
from kolm_cli.bundle.trust.policy import TrustedKey
from kolm_cli.core.errors import InputError
from tests.bundle.forge import good
from tests.support.jobs import Job

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@pytest.fixture
def trusting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A home that trusts `a.kolm`."""
    job = Job(tmp_path)
    monkeypatch.setenv("KOLM_HOME", str(job.home))
    _, signer = good(tmp_path / "a.kolm")
    add_key(job.home / "trust.toml", TrustedKey(signer.key_id, ("*",)))
    assert job.home.stat().st_mode & 0o777 == 0o700
    return job


def refused(job: Job, place: Path, words: str, *arguments: str) -> None:
    for command in (
        ("verify", "a.kolm"),
        ("trust", "list"),
        ("trust", "add", "ab" * 32, "--name=*"),
    ):
        done = job.kolm(*command, *arguments)
        assert done.code == 2, (command, done.out)
        assert f"{place}: {words}" in done.err
        assert "ab" * 32 not in (job.home / "trust.toml").read_text()


@pytest.mark.parametrize(("mode", "believed"), [(0o600, 1), (0o644, 1), (0o664, 0), (0o646, 0)])
def test_the_files_mode(mode: int, believed: bool, trusting: Job) -> None:
    path = trusting.home / "trust.toml"
    path.chmod(mode)
    if believed:
        assert trusting.kolm("verify", "a.kolm").code == 0
    else:
        refused(trusting, path, "others than you can write it")
        assert f"chmod go-w {path}" in trusting.kolm("verify", "a.kolm").err


@pytest.mark.parametrize(
    ("mode", "believed"), [(0o700, 1), (0o755, 1), (0o775, 0), (0o707, 0), (0o1777, 1)]
)
def test_the_homes_mode(mode: int, believed: bool, trusting: Job) -> None:
    trusting.home.chmod(mode)
    if believed:
        assert trusting.kolm("verify", "a.kolm").code == 0
    else:
        refused(trusting, trusting.home, "others than you can write it")


@as_root
@pytest.mark.parametrize("what", ["file", "home"])
def test_another_users(what: str, trusting: Job) -> None:
    place = trusting.home if what == "home" else trusting.home / "trust.toml"
    os.chown(place, 12345, -1)
    refused(trusting, place, "belongs to another user (uid 12345)")


def test_a_file_that_is_given_and_its_folder(trusting: Job) -> None:
    folder = trusting.folder / "policies"
    folder.mkdir()
    path = folder / "t.toml"
    path.write_bytes((trusting.home / "trust.toml").read_bytes())
    assert trusting.kolm("verify", "a.kolm", "--trust", path).code == 0
    folder.chmod(0o777)
    refused(trusting, folder, "others than you can write it", "--trust", str(path))


def test_where_a_link_leads(trusting: Job) -> None:
    folder = trusting.folder / "shared"
    folder.mkdir()
    path = trusting.home / "trust.toml"
    path.rename(folder / "real.toml")
    path.symlink_to(folder / "real.toml")
    assert trusting.kolm("verify", "a.kolm").code == 0
    folder.chmod(0o777)
    refused(trusting, folder, "others than you can write it")
    # Whoever can replace a link in the middle decides where it leads.
    path.unlink()
    (folder / "real.toml").rename(trusting.home / "real.toml")
    (folder / "link.toml").symlink_to("../home/real.toml")
    assert (folder / "link.toml").resolve() == (trusting.home / "real.toml").resolve()
    path.symlink_to(folder / "link.toml")
    refused(trusting, folder, "others than you can write it")


def test_no_key_is_made_where_it_could_not_be_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("KOLM_HOME", str(home))
    home.mkdir()
    home.chmod(0o770)
    with pytest.raises(InputError, match="others than you"):
        keys.signer_for_compile()
    assert not list(home.glob("keys/*.pem"))
    assert not (home / "trust.toml").exists()
    # Nobody is trusted there: looking is harmless.
    assert load_policy().keys == ()
