"""Push to and pull from a registry that misbehaves; the real one is in `test_interop`."""

from __future__ import annotations

import base64
import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kolm_cli.bundle.build import Built
from kolm_cli.core.errors import InputError, KolmError, LackingError, VerificationError
from kolm_cli.core.progress import Silent
from kolm_cli.registry.check import check
from kolm_cli.registry.names import parse_remote
from kolm_cli.registry.publish import Pushed, pull, push
from kolm_cli.registry.pull import Pulled
from kolm_cli.registry.remote import client, send
from kolm_cli.registry.remote.auth import authorization, challenges
from kolm_cli.registry.remote.client import Client
from kolm_cli.registry.remote.credentials import Credentials
from kolm_cli.registry.store import Registry
from tests.bundle import factory
from tests.registry.fake_registry import FakeRegistry, serving
from tests.registry.helpers import bundle, kolm

QUIET = Silent()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAUSE", 0.001)
    monkeypatch.setattr(send, "PIECE", 100_000)


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with serving() as running:
        yield running


@pytest.fixture
def built(tmp_path: Path) -> Built:
    """A bundle with one file of 450 kB."""
    return bundle(tmp_path / "a.kolm", padding=450_000)


def put(built: Built, fake: FakeRegistry, name: str = "x:v1") -> Pushed:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KOLM_HOME", str(built.path.parent / "pusher"))
        return push(str(built.path), f"oci://{fake.host}/{name}", QUIET)


def take(
    fake: FakeRegistry, out: Path, monkeypatch: pytest.MonkeyPatch, name: str = "x:v1"
) -> Pulled:
    """Pull as another user, whose registry is empty."""
    monkeypatch.setenv("KOLM_HOME", str(out.parent / f"home-{out.name}"))
    policy = factory.trusting()
    return pull(f"oci://{fake.host}/{name}", out, policy, QUIET, allow_untrusted=True)


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


def test_the_policy_decides_before_anything_is_listed(
    built: Built, fake: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(built, fake)
    monkeypatch.setenv("KOLM_HOME", str(tmp_path / "other"))
    out = tmp_path / "b.kolm"
    with pytest.raises(VerificationError, match="trusted signatures"):
        pull(f"oci://{fake.host}/x:v1", out, factory.trusting(), QUIET)
    assert not out.exists()
    assert Registry().entries() == []


def test_a_corrupted_blob_is_refused(
    built: Built, fake: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(built, fake)
    for digest in fake.blobs:
        fake.corrupt = {digest}
        out = tmp_path / "b.kolm"
        with pytest.raises(VerificationError, match=f"not {digest[7:]}"):
            take(fake, out, monkeypatch)
        assert not out.exists()
        assert not check(Registry(), QUIET).problems
        assert not Registry().blobs.path(digest[7:]).exists()


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
    monkeypatch.setattr(client.Patience, "progressed", lambda self: None)
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


def docker_config(**content: object) -> None:
    folder = Path(os.environ["DOCKER_CONFIG"])
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(content))


AUTH = base64.b64encode(b"ann:s3cret").decode()


@pytest.mark.parametrize("kind", ["basic", "bearer"])
@pytest.mark.parametrize("place", ["auths", "credHelpers", "credsStore"])
def test_dockers_credentials_are_used(
    kind: str, place: str, built: Built, fake: FakeRegistry, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    fake.auth = kind
    with pytest.raises(LackingError) as caught:
        put(built, fake)
    assert f"docker login {fake.host}" in str(caught.value.hint)
    helper = tmp_path / "bin" / "docker-credential-test"
    helper.parent.mkdir()
    helper.write_text(
        "#!/bin/sh\n"
        f'read server\n[ "$1 $server" = "get {fake.host}" ] || {{ echo "credentials not found"'
        '; exit 1; }\necho \'{"Username": "ann", "Secret": "s3cret"}\'\n'
    )
    helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{helper.parent}:{os.environ['PATH']}")
    if place == "auths":
        docker_config(auths={fake.host: {"auth": AUTH}})
    elif place == "credHelpers":
        docker_config(credHelpers={fake.host: "test"})
    else:
        docker_config(credsStore="test")
    put(built, fake)
    take(fake, tmp_path / "b.kolm", monkeypatch)
    assert (tmp_path / "b.kolm").read_bytes() == built.path.read_bytes()
    if kind == "bearer":
        scopes = [path for _, path, _ in fake.seen if path.startswith("/token")]
        assert any("pull%2Cpush" in path for path in scopes)
        assert scopes[-1].endswith("repository%3Ax%3Apull&service=fake")


def test_a_wrong_password_is_said_and_never_shown(built: Built, fake: FakeRegistry) -> None:
    fake.auth = "basic"
    wrong = base64.b64encode(b"ann:hunter2").decode()
    docker_config(auths={fake.host: {"auth": wrong}})
    done = kolm("push", built.path, f"oci://{fake.host}/x:v1", "--json")
    assert done.code == 5
    assert "refuses permission" in done.err
    for secret in ("hunter2", wrong):
        assert secret not in done.out + done.err
    for damaged in ('{"auths": {"h": {"auth": "' + wrong + "...", '["' + wrong):
        (Path(os.environ["DOCKER_CONFIG"]) / "config.json").write_text(damaged)
        done = kolm("push", built.path, f"oci://{fake.host}/x:v1", KOLM_TRACEBACK="")
        assert done.code == 5
        assert wrong not in done.err


def test_credentials_do_not_follow_a_redirect(
    built: Built, fake: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.auth = "basic"
    docker_config(auths={fake.host: {"auth": AUTH}})
    put(built, fake)
    with serving() as other:
        other.blobs = fake.blobs
        fake.elsewhere = other.host
        take(fake, tmp_path / "b.kolm", monkeypatch)
        assert other.seen
        assert all("Authorization" not in headers for _, _, headers in other.seen)
    assert (tmp_path / "b.kolm").read_bytes() == built.path.read_bytes()


def test_a_password_is_not_sent_in_the_clear_because_a_registry_says_so(fake: FakeRegistry) -> None:
    offered = challenges([f'Bearer realm="http://{fake.host}/token",service="x"'])
    known = Credentials("ann", "s3cret")
    assert "s3cret" not in repr(known)
    with httpx.Client() as http:
        with pytest.raises(LackingError, match="wants credentials sent to"):
            authorization(http, offered, known, host="far", scope="s", plain_http=False)
        assert fake.seen == []
        token = authorization(http, offered, known, host="far", scope="s", plain_http=True)
    assert token == "Bearer for-s"


def test_http_is_for_this_machine_only() -> None:
    near = Client(parse_remote("oci://127.0.0.1:1/x:1"), write=False)
    far = Client(parse_remote("oci://registry.example.com/x:1"), write=False)
    asked = Client(parse_remote("oci://registry.example.com/x:1"), write=False, plain_http=True)
    with near, far, asked:
        assert near._root.startswith("http://")
        assert far._root.startswith("https://")
        assert asked._root.startswith("http://")
        with pytest.raises(LackingError, match="not https"):
            far._check("http://registry.example.com/v2/")
        far._check("https://elsewhere.example.com/blob")


def test_what_a_registry_says_is_not_believed(
    built: Built, fake: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = bundle(tmp_path / "other.kolm", 7)
    pushed, another = put(built, fake), put(other, fake, "x:other")
    good = dict(fake.manifests)

    def refused(name: str = "x:v1", *, out: Path = tmp_path / "never.kolm") -> str:
        with pytest.raises(KolmError) as caught:
            take(fake, out, monkeypatch, name)
        assert int(caught.value.exit_code) == 4, caught.value
        assert not out.exists()
        assert not Registry().entries()
        return str(caught.value)

    fake.manifests[built.cid] = good[another.digest]
    assert f"holds {other.cid}" in refused(f"x:{built.cid}")
    fake.manifests[pushed.digest] = good[another.digest]
    assert "digest" in refused(f"x@{pushed.digest}")
    fake.manifests = dict(good)
    fake.digest_header = another.digest
    assert "digest" in refused()
    with pytest.raises(VerificationError, match="the registry stored"):
        put(built, fake, "x:v9")
    fake.digest_header = ""
    for edit in (
        lambda d: d + b" " * (2 << 20),
        lambda d: b"{}",
        lambda d: b"[" * 100_000,
        lambda d: d.replace(b"spec.yaml", b"../x.yaml"),
        lambda d: d.replace(b"vnd.kolm.manifest.v1", b"vnd.oci.image.config.v1"),
        lambda d: d.replace(b'"size":', b'"size":-'),
        lambda d: d.replace(b"sha256:", b"sha512:"),
        lambda d: json.dumps({**json.loads(d), "layers": json.loads(d)["layers"][1:]}).encode(),
        lambda d: json.dumps({**json.loads(d), "layers": json.loads(d)["layers"][::-1]}).encode(),
    ):
        fake.edit_manifest = edit
        refused()
    fake.edit_manifest = lambda d: d
    del fake.blobs[next(d for d in fake.blobs if d[7:] in good[pushed.digest].decode())]
    assert "lacks the blob" in refused(out=tmp_path / "elsewhere.kolm")


def test_what_is_not_there_and_what_cannot_be_pushed_to_exit_2(
    built: Built, fake: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="is not there"):
        take(fake, tmp_path / "b.kolm", monkeypatch, "x:nothing")
    other = bundle(tmp_path / "other.kolm", 7)
    with pytest.raises(InputError, match=built.cid):
        put(built, fake, f"x:{other.cid}")
    with pytest.raises(InputError, match="cannot be pushed to"):
        put(built, fake, "x@sha256:" + "0" * 64)
    with pytest.raises(InputError, match="no tag"):
        take(fake, tmp_path / "b.kolm", monkeypatch, "x")
    assert fake.requests("PUT") == []


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
