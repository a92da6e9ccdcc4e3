"""Docker's credentials: used, never shown, and sent only where they belong."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import httpx
import pytest

from kolm_cli.bundle.build import Built
from kolm_cli.core.errors import LackingError
from kolm_cli.registry.names import parse_remote
from kolm_cli.registry.remote.auth import _read_token, authorization, challenges
from kolm_cli.registry.remote.client import Client
from kolm_cli.registry.remote.credentials import Credentials
from tests.registry.fake_registry import FakeRegistry, serving
from tests.registry.remote.helpers import AUTH, docker_config, put, take
from tests.support.command import kolm


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


@pytest.mark.parametrize("answer", [b"[" * 100_000, b"[]", b'{"token": 5}', b"\xff"])
def test_an_answer_that_is_no_token(answer: bytes) -> None:
    with pytest.raises(LackingError, match="not a token"):
        _read_token(answer, "host")


def test_a_password_is_not_sent_in_the_clear_because_a_registry_says_so(fake: FakeRegistry) -> None:
    offered = challenges([f'Bearer realm="http://{fake.host}/token",service="x"'])
    known = Credentials("ann", "s3cret")
    assert "s3cret" not in repr(known)
    with httpx.Client() as http:
        with pytest.raises(LackingError, match="wants credentials sent to"):
            authorization(http, offered, known, host="far", scope="s", plain_http=False)
        assert fake.seen == []
        with pytest.raises(LackingError, match="wants credentials sent to"):
            authorization(http, offered, known, host="far", scope="s", plain_http=True)
        assert fake.seen == []
        token = authorization(http, offered, known, host=fake.host, scope="s", plain_http=True)
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
