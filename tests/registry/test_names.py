"""Names are read strictly; a shortened digest is refused wherever one may stand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolm_cli.core import digests
from kolm_cli.core.errors import InputError
from kolm_cli.registry.names import (
    ContentId,
    Pinned,
    Remote,
    Tag,
    parse_local,
    parse_remote,
    parse_tag,
)

CID = digests.cid(b'{"a":1}')
HEX = digests.sha256_bytes(b"x")


def test_each_form_is_told_apart() -> None:
    assert parse_local("chart-qa:v1.2") == Tag("chart-qa", "v1.2")
    assert parse_local("team/chart-qa:latest") == Tag("team/chart-qa", "latest")
    assert parse_local(CID) == ContentId(CID)
    assert parse_local(f"chart-qa@sha256:{HEX}") == Pinned("chart-qa", f"sha256:{HEX}")
    assert parse_remote("oci://ghcr.io/acme/chart-qa:v1") == Remote(
        "ghcr.io", "acme/chart-qa", "v1"
    )
    assert parse_remote("oci://[::1]:5000/x") == Remote("[::1]:5000", "x", "")
    pinned = parse_remote(f"oci://localhost:5000/x@sha256:{HEX}")
    assert pinned.pinned
    assert pinned.loopback
    assert str(pinned) == f"oci://localhost:5000/x@sha256:{HEX}"


@pytest.mark.parametrize("cut", [1, 8, 40, 63])
def test_shortened_digests_are_refused(cut: int) -> None:
    for text in (f"chart-qa@sha256:{HEX[:-cut]}", f"sha256:{HEX[:-cut]}", CID[:-cut]):
        with pytest.raises(InputError):
            parse_local(text)
    with pytest.raises(InputError, match="whole digest"):
        parse_remote(f"oci://host/x@sha256:{HEX[:-cut]}")
    if cut < 52:  # what is left could otherwise pass for a tag
        with pytest.raises(InputError, match="looks like an identifier"):
            parse_remote(f"oci://host/x:{CID[:-cut]}")


@pytest.mark.parametrize(
    "text",
    ["x", "X:1", "../x:1", "x:", ":1", "x:a/b", "x:-1", f"x:{CID}", f"x:{HEX}", "x:1 ", "x\n:1",
     "x@sha512:" + "0" * 128, f"x@sha256:{HEX.upper()}", "", "a//b:1", "x:" + "a" * 129],
)  # fmt: skip
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_local(text)


@pytest.mark.parametrize(
    "text",
    ["oci://", "oci://host", "oci://host/", "oci://host/X:1", "oci://user:pass@host/x:1",
     "oci://host/x:", "oci://host/../x:1", "oci://host/x:a:b", "oci://ho st/x:1"],
)  # fmt: skip
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_remote(text)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost:5000", True), ("127.0.0.1", True), ("127.9.9.9:1", True), ("[::1]:5000", True),
     ("localhost.example.com", False), ("127.0.0.1.example.com", False), ("10.0.0.1", False)],
)  # fmt: skip
def test_only_this_machine_is_loopback(host: str, expected: bool) -> None:
    assert Remote(host, "x").loopback is expected


@given(st.text(max_size=90))
def test_any_text_is_a_name_that_prints_as_itself_or_a_problem(text: str) -> None:
    try:
        read = parse_local(text)
    except InputError:
        return
    assert str(read) == text


@given(st.from_regex(r"[a-z0-9./_-]{1,12}:[A-Za-z0-9._-]{1,12}", fullmatch=True))
def test_a_tag_that_is_read_leads_nowhere_else(text: str) -> None:
    try:
        tag = parse_tag(text)
    except InputError:
        return
    assert ".." not in tag.name.split("/")
    assert str(tag) == text
