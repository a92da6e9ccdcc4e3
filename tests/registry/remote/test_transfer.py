"""Bundles travel byte for byte, also over connections that are cut."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kolm_cli.bundle.build import Built
from kolm_cli.core.errors import LackingError
from kolm_cli.registry.check import check
from kolm_cli.registry.store import Registry
from kolm_cli.registry.transfer import pull, push
from tests.bundle import factory
from tests.registry.fake_registry import FakeRegistry
from tests.registry.remote.helpers import QUIET, put, take


def test_a_bundle_travels_byte_for_byte(
    built: Built, fake: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed = put(built, fake)
    assert pushed.refs == (f"oci://{fake.host}/x:{built.cid}", f"oci://{fake.host}/x:v1")
    assert set(fake.manifests) == {"v1", built.cid, pushed.digest}
    assert len(fake.requests("PATCH")) == 4, "the large file goes in pieces"
    for name in ("x:v1", f"x:{built.cid}", f"x@{pushed.digest}"):
        out = tmp_path / f"{len(name)}.kolm"
        pulled = take(fake, out, monkeypatch, name)
        assert (pulled.cid, pulled.digest) == (built.cid, pushed.digest)
        assert out.read_bytes() == built.path.read_bytes()
        assert [e.cid for e in Registry().entries()] == [built.cid]


def test_what_is_there_is_neither_sent_nor_fetched_again(
    built: Built, fake: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(built, fake)
    fake.seen.clear()
    again = put(built, fake, "x:v2")
    assert (again.written, fake.requests("POST")) == (0, [])
    take(fake, tmp_path / "b.kolm", monkeypatch)
    fake.seen.clear()
    policy = factory.trusting()
    pull(f"oci://{fake.host}/x:v1", tmp_path / "c.kolm", policy, QUIET, allow_untrusted=True)
    assert fake.requests("GET", "/blobs/") == []


def test_a_cut_download_continues_where_it_stopped(
    built: Built, fake: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(built, fake)
    fake.cut = 3
    fake.seen.clear()
    take(fake, tmp_path / "b.kolm", monkeypatch)
    assert fake.cut == 0
    ranges = [h["Range"] for h in fake.requests("GET", "/blobs/") if "Range" in h]
    assert len(ranges) == 3
    assert ranges == sorted(set(ranges), key=lambda r: int(r[6:-1]))
    assert (tmp_path / "b.kolm").read_bytes() == built.path.read_bytes()


def test_a_registry_without_ranges_is_asked_from_the_start(
    built: Built, fake: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(built, fake)
    fake.cut, fake.honest_ranges = 2, False
    take(fake, tmp_path / "b.kolm", monkeypatch)
    assert (tmp_path / "b.kolm").read_bytes() == built.path.read_bytes()


def test_a_connection_that_is_always_cut_ends_with_an_error_and_leaves_nothing(
    built: Built, fake: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(built, fake)
    fake.cut, fake.honest_ranges = 1_000_000, False
    out = tmp_path / "b.kolm"
    with pytest.raises(LackingError) as caught:
        take(fake, out, monkeypatch)
    assert int(caught.value.exit_code) == 5
    assert not out.exists()
    assert not check(Registry(), QUIET).problems
    assert not list((Registry().root / ".kolm" / "leases").iterdir())


@pytest.mark.parametrize("forget", [False, True])
def test_a_cut_upload_continues_or_begins_anew(
    forget: bool, built: Built, fake: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.cut_uploads, fake.forget_uploads = 2, forget
    pushed = put(built, fake)
    assert fake.cut_uploads == 0
    large = sum(1 for h in fake.requests("POST", "uploads/"))
    assert large == pushed.written + (2 if forget else 0)
    starts = [h["Content-Range"].split("-")[0] for h in fake.requests("PATCH")]
    assert ("1000" in starts) is not forget, starts
    take(fake, tmp_path / "b.kolm", monkeypatch)
    assert (tmp_path / "b.kolm").read_bytes() == built.path.read_bytes()


def test_a_registry_that_does_not_answer_is_lacking(built: Built) -> None:
    with pytest.raises(LackingError, match="connection failed"):
        push(str(built.path), "oci://127.0.0.1:1/x:v1", QUIET)


def test_without_httpx_it_says_what_to_install(
    built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(LackingError) as caught:
        push(str(built.path), "oci://127.0.0.1:1/x:v1", QUIET)
    assert "kolm-cli[registry]" in caught.value.hint
