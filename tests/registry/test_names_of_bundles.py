"""One way to name a bundle, for every command that takes one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kolm_cli.bundle.build import Built
from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.trust.file import add_key
from kolm_cli.core.errors import InputError
from kolm_cli.core.progress import Silent
from kolm_cli.registry.index import Index, named
from kolm_cli.registry.names import ContentId, Tag
from kolm_cli.registry.store import Registry
from tests.bundle import factory
from tests.registry.helpers import bundle
from tests.support.jobs import Job


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    job = Job(tmp_path)
    monkeypatch.setenv("KOLM_HOME", str(job.home))
    return job


@pytest.fixture
def built(job: Job) -> Built:
    """A trusted bundle that is in the registry only, as chart-qa:v1 and chart-qa:latest."""
    signer = keys.generate()
    built = bundle(job.folder / "a.kolm", signer=signer)
    add_key(job.home / "trust.toml", factory.trusting(signer).keys[0])
    for tag in ("v1", "latest"):
        Registry().push(built.path, Tag("chart-qa", tag), Silent())
    built.path.unlink()
    # A folder often has the name of the bundle that is made in it.
    (job.folder / "chart-qa").mkdir()
    return built


def test_every_command_takes_every_name(job: Job, built: Built) -> None:
    names = ("chart-qa:v1", "chart-qa", built.cid, built.cid[:12])
    for command in ("verify", "receipt"):
        for name in names:
            done = job.kolm(command, name)
            assert done.code == 0, (command, name, done.err)
            assert built.cid in done.out
    assert job.kolm("diff", "chart-qa", built.cid[:8]).code == 0
    for number, name in enumerate(names[1:3]):
        assert job.kolm("unpack", name, f"new-{number}").code == 0
        assert (job.folder / f"new-{number}" / "manifest.json").is_file()
    assert job.kolm("pull", built.cid[:12], "--out", "b.kolm").code == 0
    assert job.kolm("push", "chart-qa", "other:1").code == 0
    assert job.kolm("tag", "other:1", "third:1").code == 0
    # These get as far as the base, which no hub can be asked for here.
    done = job.kolm("run", "chart-qa", "--prompt", "?")
    assert done.code == 5, done.err
    assert "acme/tiny-vlm" in done.err
    assert job.kolm("eval", built.cid[:9]).code == 5
    assert not list((job.home / "tmp").iterdir()), "no copies are left"


def test_sign_stores_what_it_signed_and_moves_the_tag(job: Job, built: Built) -> None:
    done = job.kolm("sign", "chart-qa:v1", "--json")
    assert done.code == 0, done.err
    signer = done.json["signed_by"]
    assert done.json["bundle"] == "chart-qa:v1"
    assert signer in job.kolm("receipt", "chart-qa:v1").out
    assert signer in job.kolm("receipt", built.cid).out
    assert signer not in job.kolm("receipt", "chart-qa:latest").out
    again = job.kolm("sign", "chart-qa:v1")
    assert again.code == 2
    assert "chart-qa:v1: is signed by" in again.err
    assert str(job.home) not in again.err, "no temporary copy is spoken of"
    assert job.kolm("sign", "chart-qa:latest", "--out", "signed.kolm").code == 0
    assert signer in job.kolm("receipt", "signed.kolm").out
    assert signer not in job.kolm("receipt", "chart-qa:latest").out


@pytest.mark.parametrize("command", ["run", "eval", "verify", "receipt", "unpack", "diff", "sign"])
def test_an_absent_name_says_what_to_do(command: str, job: Job, built: Built) -> None:
    more = {"run": ["--prompt", "?"], "unpack": ["new"], "diff": ["chart-qa"]}.get(command, [])
    for name, words in (
        ("nothing:v1", "is neither a file nor a bundle in the local registry"),
        ("chart-qa:v2", "which has chart-qa:latest, chart-qa:v1"),
        ("bafkreiaaaaaaaaa", "is neither a file nor a bundle in the local registry"),
    ):
        done = job.kolm(command, name, *more)
        assert done.code == 2, done.out
        assert f"{name}: " in done.err
        assert words in done.err
        assert "kolm pull" in done.err
    done = job.kolm(command, "oci://ghcr.io/acme/x:1", *more)
    assert done.code == 2
    assert "kolm pull oci://ghcr.io/acme/x:1" in done.err


def test_damage_in_the_registry_is_told_by_the_bundles_name(job: Job, built: Built) -> None:
    stranger = bundle(job.folder / "s.kolm", 9)
    Registry().push(stranger.path, Tag("s", "latest"), Silent())
    done = job.kolm("unpack", "s", "new")
    assert done.code == 4
    assert "s: policy: 0 of 1 trusted signatures" in done.err
    assert str(job.home) not in done.err.replace(str(job.home / "trust.toml"), "")


def test_names_without_a_registry(job: Job) -> None:
    for text in ("chart-qa", "chart-qa:v1", "bafkreiaaaaaaaaa", "Wrong Name", "../x", ""):
        done = job.kolm("verify", text)
        assert done.code == 2, (text, done.out)
    assert not job.home.exists(), "looking makes nothing"


def test_a_short_cid_that_two_share_lists_both(job: Job) -> None:
    built = [bundle(job.folder / f"{n}.kolm", n) for n in range(2)]
    entries = [Registry().push(b.path, None, Silent()).entry for b in built]
    first = entries[0].cid
    # CIDs that begin alike cannot be made on purpose.
    near = first[:20] + ("a" if first[20] != "a" else "b") + first[21:]
    index = Index((entries[0], replace(entries[1], cid=near, ref=near)))
    with pytest.raises(InputError, match="2 bundles have such a CID") as caught:
        named(index, first[:15])
    assert first in str(caught.value)
    assert near in str(caught.value)
    assert named(index, first[:21]) == ContentId(first)
    with pytest.raises(InputError, match="at least 8"):
        named(index, first[:7])


def test_a_file_comes_before_a_name(job: Job, built: Built) -> None:
    other = bundle(job.folder / "chart-qa:v1", 5)
    assert other.cid in job.kolm("receipt", "chart-qa:v1").out
