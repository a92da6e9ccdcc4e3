"""The trust file: read strictly, and edited without losing what a person wrote."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolm_cli.bundle.trust.file import add_key, key_block, load_policy, parse, replace_keys
from kolm_cli.bundle.trust.policy import TrustedKey
from kolm_cli.core.errors import InputError
from tests.bundle.trust.helpers import EARLIER, HEAD, ID, LATER


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 'needs the line format = "kolm-trust/1"'),
        ("format = 'kolm-trust/2'", 'needs the line format = "kolm-trust/1"'),
        ("format =", "is not TOML"),
        (f"format = {'9' * 5000}", "is not TOML"),
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
