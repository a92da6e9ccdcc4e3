"""A registry that sends half, drips, compresses or takes nothing is given up on, with exit 5."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from kolm_cli.core.errors import KolmError, LackingError
from kolm_cli.core.progress import Silent
from kolm_cli.registry.check import check
from kolm_cli.registry.oci_image import image_of
from kolm_cli.registry.remote import patience
from kolm_cli.registry.remote.auth import authorization, challenges
from kolm_cli.registry.remote.credentials import Credentials
from kolm_cli.registry.store import Registry
from kolm_cli.registry.transfer import pull, push
from tests.bundle import factory
from tests.registry.helpers import bundle

QUIET = Silent()
Handler = type[BaseHTTPRequestHandler]
Blob = Callable[[BaseHTTPRequestHandler, bytes], None]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PAUSE", 0.001)
    monkeypatch.setattr(patience, "SECONDS", 1.0)


@contextlib.contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    socketserver.ThreadingMixIn.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def registry_of(folder: Path, send: Blob, *, manifests: bool = False) -> Handler:
    """A registry with one bundle, which sends large blobs (or the manifest) by `send`."""
    from kolm_cli.bundle.container.open_bundle import open_bundle

    built = bundle(folder / "served.kolm", padding=450_000)
    with open_bundle(built.path) as opened:
        image = image_of(opened)
        blobs = {f.digest: b"".join(opened.stream(f.path)) for f in image.files}

    class Serving(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            data = blobs.get(name, image.data)
            odd = manifests if "/manifests/" in self.path else len(data) > 100_000
            with contextlib.suppress(OSError):
                if odd:
                    send(self, data)
                    self.close_connection = True
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

    return Serving


def start(handler: BaseHTTPRequestHandler, length: int, **headers: str) -> None:
    handler.send_response(200)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(length))
    handler.end_headers()


def half(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    start(handler, len(data))
    handler.wfile.write(data[: len(data) // 2])


def half_as_if_whole(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    start(handler, len(data) // 2)
    handler.wfile.write(data[: len(data) // 2])


def drip(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    start(handler, len(data))
    for byte in data:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.02)


def drip_headers(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(1_000_000):
        handler.wfile.write(b"X-%d: y\r\n" % number)
        time.sleep(0.02)


def compress(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    packed = gzip.compress(data)
    start(handler, len(packed), Content_Encoding="gzip")
    handler.wfile.write(packed)


@pytest.mark.parametrize("manifests", [False, True])
@pytest.mark.parametrize("send", [half, half_as_if_whole, drip, drip_headers, compress])
def test_a_pull_has_an_end(
    send: Blob, manifests: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOLM_HOME", str(tmp_path / "home"))
    began = time.monotonic()
    serving = registry_of(tmp_path, send, manifests=manifests)
    with listening(serving) as host, pytest.raises(KolmError) as caught:
        pull(f"oci://{host}/x:v1", tmp_path / "out.kolm", factory.trusting(), QUIET)
    # Half a manifest that claims to be whole is not the manifest: that is a verification.
    wrong = manifests and send is half_as_if_whole
    assert int(caught.value.exit_code) == (4 if wrong else 5), caught.value
    assert time.monotonic() - began < 30
    assert not (tmp_path / "out.kolm").exists()
    assert not check(Registry(), QUIET).problems


def test_a_slow_but_steady_registry_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOLM_HOME", str(tmp_path / "home"))

    def slowly(handler: BaseHTTPRequestHandler, data: bytes) -> None:
        start(handler, len(data))
        for place in range(0, len(data), 70_000):
            handler.wfile.write(data[place : place + 70_000])
            time.sleep(0.3)

    with listening(registry_of(tmp_path, slowly)) as host:
        out = tmp_path / "out.kolm"
        pull(f"oci://{host}/x:v1", out, factory.trusting(), QUIET, allow_untrusted=True)
    assert out.read_bytes() == (tmp_path / "served.kolm").read_bytes()


def test_a_push_that_gets_nowhere_has_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kolm_cli.registry.remote import send

    monkeypatch.setattr(send, "PIECE", 100_000)
    monkeypatch.setenv("KOLM_HOME", str(tmp_path / "home"))
    built = bundle(tmp_path / "a.kolm", padding=450_000)

    class Nothing(BaseHTTPRequestHandler):
        """Accepts each piece, and says each time that it has none of it."""

        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def answer(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            code = {"HEAD": 404, "PUT": 201}.get(self.command, 202)
            self.send_response(code)
            if self.command == "PUT":
                digest = hashlib.sha256(data).hexdigest()
                self.send_header("Docker-Content-Digest", f"sha256:{digest}")
            self.send_header("Location", "/v2/x/blobs/uploads/1")
            self.send_header("Range", "0-0")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_POST = do_PATCH = do_PUT = do_GET = answer  # noqa: N815

    began = time.monotonic()
    with listening(Nothing) as host, pytest.raises(LackingError):
        push(str(built.path), f"oci://{host}/x:v1", QUIET)
    assert time.monotonic() - began < 30


# --- credentials -------------------------------------------------------------------------------


def token_server(seen: list[str]) -> type[BaseHTTPRequestHandler]:
    class Tokens(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization", ""))
            body = json.dumps({"token": "t"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Tokens


@pytest.mark.parametrize(
    ("registry", "secret", "told"),
    [
        ("127.0.0.1:5000", True, True),
        ("127.0.0.1", True, True),
        ("localhost:5000", True, False),
        ("registry.example.com", True, False),
        ("10.0.0.1:5000", True, False),
        ("registry.example.com", False, True),
    ],
)
def test_where_credentials_may_go(registry: str, secret: bool, told: bool) -> None:
    seen: list[str] = []
    known = Credentials("ann", "s3cret") if secret else None
    with listening(token_server(seen)) as host, httpx.Client() as http:
        offered = challenges([f'Bearer realm="http://{host}/token"'])

        def ask(*, plain_http: bool) -> str:
            return authorization(
                http, offered, known, host=registry, scope="s", plain_http=plain_http
            )

        with pytest.raises(LackingError, match="wants credentials sent to"):
            ask(plain_http=False)
        if told:
            assert ask(plain_http=True) == "Bearer t"
        else:
            with pytest.raises(LackingError, match="wants credentials sent to"):
                ask(plain_http=True)
    assert bool(seen) is told
    assert all(bool(header) is secret for header in seen)


@pytest.mark.parametrize(
    "realm",
    ["http://127.0.0.1@evil.example/t", "http://evil.example/t", "HTTP://evil.example", "ftp://x",
     "http://[::1", "//127.0.0.1/t", ""],
)  # fmt: skip
def test_a_realm_that_only_looks_like_this_machine(realm: str) -> None:
    offered = challenges([f'Bearer realm="{realm}"'])
    with httpx.Client() as http, pytest.raises(LackingError, match="wants credentials sent to"):
        authorization(
            http, offered, Credentials("a", "b"), host="127.0.0.1:1", scope="s", plain_http=True
        )
