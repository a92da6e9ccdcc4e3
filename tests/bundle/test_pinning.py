"""`--cid` pins a content, whole or shortened; rejected bundles are marked."""

from __future__ import annotations

from pathlib import Path

import pytest

from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.trust.file import add_key
from tests.bundle import factory
from tests.bundle.checks.helpers import part
from tests.bundle.forge import edit_json
from tests.support.jobs import Job


@pytest.fixture
def job(tmp_path: Path) -> Job:
    job, signer = Job(tmp_path), keys.generate()
    add_key(job.home / "trust.toml", factory.trusting(signer).keys[0])
    factory.make_bundle(tmp_path / "a.kolm", signer)
    missed = edit_json(part("eval/evaluation.json"), lambda v: v["gate"].update(accuracy=0.95))
    files = {**factory.make_files(), "eval/evaluation.json": missed}
    factory.make_bundle(tmp_path / "missed.kolm", signer, files=files)
    return job


def cid_of(job: Job, bundle: str) -> str:
    return str(job.kolm("verify", bundle, "--json").json["cid"])


def test_a_whole_and_a_shortened_cid(job: Job) -> None:
    cid = cid_of(job, "a.kolm")
    for given in (cid, cid[:28], cid[:40]):
        done = job.kolm("verify", "a.kolm", "--cid", given)
        assert done.code == 0, done.out
        assert "state   trusted" in done.out


def test_another_one_is_not_called_invalid(job: Job) -> None:
    cid = cid_of(job, "missed.kolm")
    for given in (cid, cid[:28]):
        for more in ((), ("--allow-untrusted",)):
            done = job.kolm("verify", "a.kolm", "--cid", given, *more)
            assert done.code == 4
            assert "state   other" in done.out
            assert "which was asked for" in done.out
        done = job.kolm("unpack", "a.kolm", "x", "--cid", given, "--allow-untrusted")
        assert done.code == 4
        assert "which was asked for" in done.err
    assert not (job.folder / "x").exists()


@pytest.mark.parametrize(
    "given", ["", "b", "bafkrei", "bafkreigh2akiscaild", "B" + "a" * 58, "x" * 59]
)
def test_what_pins_nothing_is_refused(job: Job, given: str) -> None:
    for command in (("verify", "a.kolm"), ("run", "a.kolm", "--prompt", "?")):
        done = job.kolm(*command, "--cid", given)
        assert done.code == 2, done.out
        assert "at least its first 28 characters" in done.err


def test_a_rejected_bundle_is_marked(job: Job) -> None:
    done = job.kolm("verify", "missed.kolm")
    assert done.code == 0, done.out
    assert "gate    NOT met: a rejected bundle" in done.out
    assert job.kolm("verify", "missed.kolm", "--json").json["rejected"] is True
    assert "rejected" not in job.kolm("verify", "a.kolm", "--json").json
    assert "rejected" not in job.kolm("verify", "a.kolm").out
