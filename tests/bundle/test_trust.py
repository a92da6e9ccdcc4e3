"""The trust file: who may sign what, when, and how many must."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.signing.co_sign import co_sign
from kolm_cli.bundle.trust.file import add_key, key_block, load_policy, parse, replace_keys
from kolm_cli.bundle.trust.policy import Threshold, TrustedKey, TrustPolicy, matches
from kolm_cli.bundle.verify import verify
from kolm_cli.core.errors import InputError
from tests.bundle import factory
from tests.bundle.forge import good
from tests.bundle.test_keys import kolm

NOW = datetime(2026, 6, 1, tzinfo=UTC)
EARLIER, LATER = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
ID = "ab" * 32
HEAD = 'format = "kolm-trust/1"\n'


def state(path: Path, policy: TrustPolicy) -> tuple[str, str]:
    report = verify(path, policy, now=NOW)
    return report.state, next(c.detail for c in report.checks if c.name == "policy")


@pytest.mark.parametrize(
    ("grant", "words"),
    [
        ({}, None),
        ({"valid_from": EARLIER, "valid_until": LATER}, None),
        ({"valid_from": NOW}, None),
        ({"valid_from": LATER}, "is not valid before 2026-07-01 00:00 UTC"),
        ({"valid_until": EARLIER}, "expired on 2026-05-01 00:00 UTC"),
        ({"valid_until": NOW}, "expired on"),
        ({"revoked": True}, "is revoked"),
        ({"revoked": EARLIER}, "is revoked"),
        ({"revoked": LATER}, None),
        ({"names": ("tiny-*",)}, None),
        ({"names": ("other", "tiny-chart")}, None),
        ({"names": ("other", "tiny", "*-tiny-chart")}, "may sign *-tiny-chart, other, tiny, not"),
    ],
)
def test_one_key(grant: dict[str, object], words: str | None, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    key = TrustedKey(signer.key_id, **{"names": ("*",), **grant})  # type: ignore[arg-type]
    found, detail = state(path, TrustPolicy((key,)))
    assert found == ("trusted" if words is None else "untrusted")
    assert words is None or words in detail


def test_revoked_anywhere_is_revoked_everywhere(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    grants = (TrustedKey(signer.key_id, ("*",)), TrustedKey(signer.key_id, ("x",), revoked=True))
    assert state(path, TrustPolicy(grants))[0] == "untrusted"


def test_an_expired_grant_does_not_spoil_another(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    old = TrustedKey(signer.key_id, ("*",), valid_until=EARLIER)
    assert state(path, TrustPolicy((old, TrustedKey(signer.key_id, ("*",)))))[0] == "trusted"


def test_a_threshold(tmp_path: Path) -> None:
    path, maker = good(tmp_path / "a.kolm")
    auditor, stranger = keys.generate(), keys.generate()
    two = (Threshold("tiny-*", 2), Threshold("*", 1))
    policy = TrustPolicy(factory.trusting(maker, auditor).keys, two)
    assert state(path, policy) == ("untrusted", "1 of 2 trusted signatures")
    co_sign(path, stranger)
    assert state(path, policy)[0] == "untrusted"
    co_sign(path, auditor)
    assert state(path, policy)[0] == "trusted"
    three = TrustPolicy(policy.keys, (*two, Threshold("*-chart", 3)))
    assert state(path, three)[0] == "untrusted"


def test_the_same_key_twice_counts_once() -> None:
    policy = TrustPolicy((TrustedKey(ID, ("*",)),), (Threshold("*", 2),))
    assert not policy.judge([ID, ID], "x", NOW)[0]


def test_an_empty_policy_trusts_nobody() -> None:
    assert not TrustPolicy().judge([ID], "x", NOW)[0]
    assert not TrustPolicy().judge([], "x", NOW)[0]


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("*", "anything", True),
        ("a*c", "abc", True),
        ("a*c", "ac", True),
        ("a*c", "abcd", False),
        ("a.c", "abc", False),
        ("abc", "abc", True),
        ("abc", "abcd", False),
        ("*-prod", "x-prod\n", False),
    ],
)
def test_patterns(pattern: str, name: str, fits: bool) -> None:
    assert matches(pattern, name) is fits


# --- the file ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 'needs the line format = "kolm-trust/1"'),
        ("format = 'kolm-trust/2'", 'needs the line format = "kolm-trust/1"'),
        ("format =", "is not TOML"),
        (HEAD + "keys = []", "there is no setting 'keys'"),
        (HEAD + "key = 1", "key must be written as [[key]]"),
        (HEAD + "[[key]]\nid = 'xy'\nnames = ['*']", "key 1: id must be the 64 hex digits"),
        (HEAD + f"[[key]]\nid = '{ID.upper()}'\nnames = ['*']", "id must be the 64 hex digits"),
        (HEAD + f"[[key]]\nid = '{ID}'", "names must be a list"),
        (HEAD + f"[[key]]\nid = '{ID}'\nnames = '*'", "names must be a list"),
        (HEAD + f"[[key]]\nid = '{ID}'\nnames = ['[a-z]']", "names must be a list"),
        (HEAD + f"[[key]]\nid = '{ID}'\nnames = ['*']\nvalid_util = 2026-01-01", "'valid_util'"),
        (HEAD + f"[[key]]\nid = '{ID}'\nnames = ['*']\nvalid_until = '2026'", "must be a date"),
        (HEAD + f"[[key]]\nid = '{ID}'\nnames = ['*']\nrevoked = 'yes'", "revoked must be a date"),
        (HEAD + f"[[key]]\nid = '{ID}'\nnames = ['*']\ncomment = 1", "comment must be text"),
        (HEAD + "[[threshold]]\nname = '*'", "threshold 1: needs exactly name and count"),
        (HEAD + "[[threshold]]\nname = '*'\ncount = 0", "count must be a whole number"),
        (HEAD + "[[threshold]]\nname = '*'\ncount = true", "count must be a whole number"),
        (HEAD + "[[threshold]]\nname = '?'\ncount = 1", "name must be a bundle name"),
    ],
)
def test_a_wrong_file_is_an_error_and_never_a_looser_policy(text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text.encode(), "trust.toml")
    assert words in str(caught.value)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InputError) as caught:
        parse(b"x = 1\n[[key]]\nid = 1\n[[threshold]]\n", "trust.toml")
    assert len(caught.value.problems) == 5


def test_a_wrong_trust_file_is_exit_2(tmp_path: Path) -> None:
    path, _ = good(tmp_path / "a.kolm")
    (tmp_path / "t.toml").write_text("x = 1\n")
    assert "there is no setting 'x'" in kolm(
        "verify", str(path), "--trust", str(tmp_path / "t.toml"), code=2
    )
    missing = str(tmp_path / "missing.toml")
    assert "there is no such trust file" in kolm("verify", str(path), "--trust", missing, code=2)
    assert "cannot be read" in kolm("verify", str(tmp_path / "none.kolm"), code=2)


def test_verify_makes_nothing_at_home(home: Path, tmp_path: Path) -> None:
    path, _ = good(tmp_path / "a.kolm")
    kolm("verify", str(path), code=4)
    assert not home.exists()


HAND_WRITTEN = f"""\
# my own notes
format = "kolm-trust/1"

# the vendor, asked on the phone
[[key]]  # first
id = "{ID}"
names = [
  "vendor-*",   # everything of theirs
  "shared",
]
valid_until = 2027-01-01

# the lab
[[key]]
id = "{"cd" * 32}"
names = ["lab-*"]

[[threshold]]
name = "vendor-*"
count = 2
"""


def test_edits_keep_what_a_person_wrote(tmp_path: Path) -> None:
    path = tmp_path / "trust.toml"
    path.write_text(HAND_WRITTEN)
    add_key(path, TrustedKey("ef" * 32, ("new",), EARLIER, LATER, comment='a "quoted" ä'))
    assert path.read_text().startswith(HAND_WRITTEN.rstrip())
    added = load_policy(path).keys[-1]
    assert (added.id, added.valid_from, added.comment) == ("ef" * 32, EARLIER, 'a "quoted" ä')
    replace_keys(path, lambda key: None if key.id == ID else key)
    text = path.read_text()
    assert ID not in text
    for kept in ("# my own notes", "# the vendor", "# the lab", 'names = ["lab-*"]', "count = 2"):
        assert kept in text
    assert [key.id for key in load_policy(path).keys] == ["cd" * 32, "ef" * 32]


def test_a_layout_that_cannot_be_edited_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "trust.toml"
    path.write_text(HEAD + f'key = [{{id = "{ID}", names = ["*"]}}]\n')
    before = path.read_text()
    with pytest.raises(InputError, match="edit it by hand"):
        replace_keys(path, lambda key: None)
    assert path.read_text() == before


moments = st.none() | st.datetimes(
    datetime(1990, 1, 1),
    datetime(2100, 1, 1),
    timezones=st.just(UTC),
)
trusted_keys = st.builds(
    TrustedKey,
    id=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    names=st.lists(st.from_regex(r"[a-z0-9._*-]{1,8}", fullmatch=True), min_size=1).map(tuple),
    valid_from=moments,
    valid_until=moments,
    revoked=st.booleans() | moments.filter(bool),
    comment=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)


@given(key=trusted_keys)
def test_what_is_written_is_read(key: TrustedKey) -> None:
    assert parse((HEAD + key_block(key)).encode(), "x").keys == (key,)


# --- commands ----------------------------------------------------------------------------------


def test_add_list_check_remove(home: Path, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    public = tmp_path / "vendor.pem"
    public.write_bytes(signer.public_pem)
    kolm("verify", str(path), code=4)
    kolm("trust", "add", str(public), "--name", "tiny-*", "--comment", "the vendor")
    kolm("verify", str(path))
    kolm("trust", "check", "tiny-chart", signer.key_id)
    said = kolm("trust", "check", "other", signer.key_id, code=4)
    assert "may sign tiny-*, not other" in said
    listed = json.loads(kolm("trust", "list", "--json"))
    assert [(k["id"], k["names"], k["state"]) for k in listed["keys"]] == [
        (signer.key_id, ["tiny-*"], "trusted")
    ]
    assert "the vendor" in kolm("trust", "list")
    kolm("trust", "add", "ab" * 32, "--name", "tiny-*", "--threshold", "2")
    assert "tiny-* needs 2 trusted signatures" in kolm("trust", "list")
    kolm("verify", str(path), code=4)
    kolm("trust", "remove", signer.key_id)
    assert "does not hold" in kolm("trust", "remove", signer.key_id, code=2)
    assert home.joinpath("trust.toml").stat().st_mode & 0o777 == 0o600


def test_dates_on_the_command_line(home: Path, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    kolm("trust", "add", signer.key_id, "--name", "*", "--valid-until", "2026-01-01")
    assert "expired on 2026-01-01 00:00 UTC" in kolm("verify", str(path), code=4)
    both = ("--valid-from", "2026-02-01", "--valid-until", "2026-01-01")
    assert "is not after" in kolm("trust", "add", ID, "--name", "*", *both, code=2)


def test_wrong_arguments(home: Path, tmp_path: Path) -> None:
    assert "is not a name pattern" in kolm("trust", "add", ID, "--name", "[x]", code=2)
    assert "neither a key id nor a readable file" in kolm(
        "trust", "add", "x", "--name", "*", code=2
    )
    (tmp_path / "x.pem").write_text("hello")
    assert "not a public key" in kolm(
        "trust", "add", str(tmp_path / "x.pem"), "--name", "*", code=2
    )
