"""What `kolm trust` changes takes effect, or it says why not; a revocation is never lost."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.trust.file import key_block, load_policy
from kolm_cli.bundle.trust.policy import TrustedKey, matches, overlap
from tests.bundle import factory
from tests.support.jobs import Job

ID, OTHER = "ab" * 32, "cd" * 32
HEAD = 'format = "kolm-trust/1"\n'


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    job = Job(tmp_path)
    monkeypatch.setenv("KOLM_HOME", str(job.home))
    return job


def add(job: Job, *arguments: str) -> tuple[str, str]:
    done = job.kolm("trust", "add", *arguments)
    assert done.code == 0, done.err
    return done.out, done.err


def test_a_threshold_is_lowered_and_raised_and_each_change_is_said(job: Job) -> None:
    add(job, ID, "--name", "vendor-*", "--threshold", "2")
    with (job.home / "trust.toml").open("a") as stream:
        stream.write("\n# a note\n[[threshold]]\nname = 'vendor-*'\ncount = 3  # both\n")
    out, err = add(job, OTHER, "--name", "vendor-*", "--threshold", "1")
    assert "vendor-* needs 1 trusted signature(s), not 3 any more" in out
    assert not err
    assert [vars(t) for t in load_policy().thresholds] == [{"name": "vendor-*", "count": 1}]
    assert "# a note" in (job.home / "trust.toml").read_text()
    out, _ = add(job, ID, "--name", "vendor-*", "--threshold", "4")
    assert "not 1 any more" in out
    assert load_policy().threshold("vendor-x") == 4


def test_a_higher_threshold_of_another_pattern_is_named(job: Job) -> None:
    add(job, ID, "--name", "*-chart", "--threshold", "3")
    add(job, ID, "--name", "other", "--threshold", "5")
    _, err = add(job, OTHER, "--name", "vendor-*", "--threshold", "1")
    assert "*-chart still needs 3" in err
    assert "other" not in err


@pytest.mark.parametrize("trust_option", [False, True])
def test_a_short_id_of_an_own_or_a_listed_key(trust_option: bool, job: Job) -> None:
    own = keys.create(trusted=False)
    option = ["--trust", str(job.folder / "t.toml")] if trust_option else []
    out, _ = add(job, own.key_id[:8].upper(), "--name", "*", *option)
    assert own.key_id in out
    add(job, ID, "--name", "x", *option)
    assert job.kolm("trust", "check", "x", ID[:8], *option).code == 0
    done = job.kolm("trust", "remove", ID[:10], *option)
    assert done.code == 0, done.err
    assert ID in done.out
    for short in (ID[:10], own.key_id[:7]):
        done = job.kolm("trust", "add", short, "--name", "*", *option)
        assert done.code == 2
        assert "neither a key id nor a readable file" in done.err
        assert "64 digits" in done.err


def test_a_short_id_that_fits_two_keys_names_them(job: Job) -> None:
    near = ID[:20] + "0" * 44
    add(job, ID, "--name", "*")
    add(job, near, "--name", "*")
    done = job.kolm("trust", "remove", ID[:8])
    assert done.code == 2
    for key_id in (ID, near):
        assert key_id in done.err


def test_removing_keeps_a_revocation(job: Job) -> None:
    add(job, ID, "--name", "a")
    assert job.kolm("keys", "revoke", ID).code == 0
    before = (job.home / "trust.toml").read_text()
    done = job.kolm("trust", "remove", ID)
    assert done.code == 2
    assert "is revoked, and stays in the file" in done.err
    assert (job.home / "trust.toml").read_text() == before
    done = job.kolm("trust", "add", ID, "--name", "*")
    assert done.code == 2
    assert f"{ID} is revoked, which outweighs every grant" in done.err
    assert (job.home / "trust.toml").read_text() == before
    # As somebody may write it by hand.
    (job.home / "trust.toml").write_text(before + key_block(TrustedKey(ID, ("*",))))
    done = job.kolm("trust", "remove", ID)
    assert done.code == 0
    assert "its revocation stays" in done.err
    assert (job.home / "trust.toml").read_text().strip() == before.strip()
    assert job.kolm("trust", "check", "a", ID).code == 4


def test_revoking_a_key_that_is_to_be_revoked_later_takes_effect_now(job: Job) -> None:
    later = datetime.now(UTC) + timedelta(days=300)
    job.home.mkdir()
    block = key_block(TrustedKey(ID, ("*",), revoked=later))
    (job.home / "trust.toml").write_text(HEAD + block)
    assert job.kolm("trust", "check", "a", ID).code == 0
    assert job.kolm("keys", "revoke", ID).code == 0
    assert "is revoked" in job.kolm("trust", "check", "a", ID).out


def test_an_older_and_looser_grant_is_named(job: Job) -> None:
    add(job, ID, "--name", "vendor-*")
    _, err = add(job, ID, "--name", "vendor-*", "--valid-until", "2020-01-01")
    assert "before stays: it may sign vendor-*" in err
    assert "--valid-until is past" in err


# --- patterns ----------------------------------------------------------------------------------


def test_no_pattern_takes_long(job: Job) -> None:
    signer = keys.generate()
    factory.make_bundle(job.folder / "a.kolm", signer, name="a" * 63)
    job.home.mkdir()
    names = ["*a" * 31 + "*b", "*a" * 31 + "b", "a*" * 31 + "bc"]
    text = HEAD + key_block(TrustedKey(signer.key_id, tuple(names)))
    (job.home / "trust.toml").write_text(text)
    began = time.monotonic()
    done = job.kolm_process("verify", job.folder / "a.kolm", timeout=60)
    assert done.code == 4
    assert "may sign" in done.out
    assert not any(matches(pattern, "a" * 10_000) for pattern in names)
    assert not overlap(names[0], "a*" * 31 + "a")
    assert time.monotonic() - began < 20


letters = st.text("ab", max_size=7)
patterns = st.text("ab*", max_size=7)


def naive(pattern: str, name: str) -> bool:
    """By the definition: a star stands for nothing, or for a character and a star."""
    if not pattern:
        return not name
    if pattern[0] == "*":
        return naive(pattern[1:], name) or (bool(name) and naive(pattern, name[1:]))
    return bool(name) and pattern[0] == name[0] and naive(pattern[1:], name[1:])


@given(patterns, letters)
def test_matching_is_what_the_definition_says(pattern: str, name: str) -> None:
    assert matches(pattern, name) is naive(pattern, name)


@given(patterns, patterns, letters)
def test_two_patterns_that_fit_one_name_overlap(a: str, b: str, name: str) -> None:
    if matches(a, name) and matches(b, name):
        assert overlap(a, b)
    if "*" not in b:
        assert overlap(a, b) is matches(a, b)
