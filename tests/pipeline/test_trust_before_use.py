"""`run` and `eval` follow the trust policy as `verify` does, before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.trust.file import add_key
from tests.bundle import factory
from tests.support.jobs import Compiled, Job

USES = (("run", "--prompt", "?"), ("eval",))


@pytest.fixture
def signer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> keys.Signer:
    monkeypatch.setenv("KOLM_HOME", str(tmp_path / "home"))
    signer = keys.generate()
    factory.make_bundle(tmp_path / "a.kolm", signer)
    return signer


@pytest.mark.parametrize("use", USES, ids=lambda use: use[0])
def test_the_policy_decides(use: tuple[str, ...], tmp_path: Path, signer: keys.Signer) -> None:
    job = Job(tmp_path)
    command, *more = use
    bundle = ("a.kolm", *more)

    def refused(*options: str) -> str:
        done = job.kolm(command, *bundle, *options)
        verified = job.kolm("verify", "a.kolm", *options)
        assert (done.code, verified.code) == (4, 4), done.err
        failed = next(li for li in verified.out.splitlines() if li.startswith("FAILED"))
        _, check, words = failed.split(None, 2)
        assert f"a.kolm: {check}: {words}" in done.err
        return done.err

    assert "--allow-untrusted" in refused()
    allowed = job.kolm(command, *bundle, "--allow-untrusted", "--json")
    # As far as the base, which is on no hub: the policy did not stop it.
    assert allowed.code == 5, allowed.err
    assert "WARNING: not trusted (0 of 1 trusted signatures" in allowed.err
    add_key(tmp_path / "t.toml", factory.trusting(signer).keys[0])
    given = job.kolm(command, *bundle, "--trust", "t.toml")
    assert given.code == 5, given.err
    assert "WARNING" not in given.err
    add_key(job.home / "trust.toml", factory.trusting(signer).keys[0])
    assert job.kolm(command, *bundle).code == 5
    assert "which was asked for" in refused("--cid", "b" + "a" * 58)
    assert job.kolm("keys", "revoke", signer.key_id).code == 0
    assert "is revoked" in refused()


def test_what_is_not_intact_is_never_used(tmp_path: Path, signer: keys.Signer) -> None:
    job = Job(tmp_path)
    path = tmp_path / "a.kolm"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    for command, *more in USES:
        done = job.kolm(command, "a.kolm", *more, "--allow-untrusted")
        assert done.code == 4, done.err
        assert "kolm verify a.kolm" in done.err


def test_a_compiled_bundle_whose_key_was_revoked(compiled: Compiled, tmp_path: Path) -> None:
    """As a user meets it: the bundle answered yesterday, and must not today."""
    job = compiled.job
    (tmp_path / "t.toml").write_bytes((job.home / "trust.toml").read_bytes())
    ask = ("run", compiled.bundle, "--prompt", "hue 1?")
    assert job.kolm(*ask, "--cid", compiled.report["cid"]).code == 0
    text = (tmp_path / "t.toml").read_text()
    (tmp_path / "t.toml").write_text(text.replace("names =", "revoked = true\nnames ="))
    done = job.kolm(*ask, "--trust", tmp_path / "t.toml")
    assert done.code == 4
    assert "is revoked" in done.err
    assert not done.out
    done = job.kolm(*ask, "--trust", tmp_path / "t.toml", "--allow-untrusted")
    assert done.code == 0
    assert "WARNING: not trusted" in done.err
