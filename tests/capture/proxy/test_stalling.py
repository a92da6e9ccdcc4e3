"""Clients that begin and do not end: they take nobody's place and hold up no end."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time

import httpx
import pytest

from kolm_cli.capture.proxy import fetch
from kolm_cli.capture.proxy.access import Access, RefusedError
from kolm_cli.capture.proxy.fetch import Fetcher, FetchError, is_public
from tests.capture.proxy.helpers import Start


def _connected(url: str) -> socket.socket:
    address = httpx.URL(url)
    assert address.port
    return socket.create_connection((address.host, address.port), 30)


def test_headers_that_never_end_take_no_place(start: Start) -> None:
    proxy = start()
    held = [_connected(proxy.url) for _ in range(450)]
    for connection in held:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nX-")
    assert httpx.get(f"{proxy.url}/v1/x", timeout=20).status_code == 200
    first = held[0]
    first.settimeout(20)
    with contextlib.suppress(ConnectionResetError):
        assert first.recv(10) == b""
    # One that drips is closed in time as well.
    dripping = _connected(proxy.url)
    began = time.monotonic()
    with contextlib.suppress(OSError):
        while time.monotonic() - began < 25:
            dripping.sendall(b"G")
            time.sleep(0.5)
    assert time.monotonic() - began < 20
    assert httpx.get(f"{proxy.url}/v1/x", timeout=20).status_code == 200
    for connection in held:
        connection.close()


def test_half_a_body_does_not_keep_the_proxy_from_ending(start: Start) -> None:
    proxy = start()
    # A body with two lengths is nobody's: what follows it is not read as a request.
    with _connected(proxy.url) as two:
        lengths = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        two.sendall(
            b"POST /v1/x HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            + lengths
            + b"GET /v1/x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        )
        answer = b"".join(iter(lambda: two.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1 ") == 1
    half = _connected(proxy.url)
    half.sendall(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{"
    )
    time.sleep(0.5)
    began = time.monotonic()
    assert proxy.stop(signal.SIGTERM) == 0
    assert time.monotonic() - began < 30
    half.close()


PATHS = (
    b"/v1/../../admin", b"/v1/%2e%2e/%2E%2e/admin", b"/v1/..%2fadmin", b"/v1/..%5cadmin",
    b"/v1/%252e%252e/admin", b"/v1/..;/admin", b"/v1\\..\\admin", b"/v1/./x", b"/..",
    b"http://evil.example/", b"*", b"/kolm-token/x/../admin",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=bytes.decode)
def test_no_path_leaves_the_upstreams_prefix(path: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        Access("127.0.0.1", "").admit(path, [(b"host", b"127.0.0.1")])
    assert refused.value.status == 400


@pytest.mark.parametrize("path", [b"/v1/models/a..b", b"/v1/files/%C3%A9", b"/v1/x%25", b"/v1/..."])
def test_other_paths_pass(path: bytes) -> None:
    assert Access("127.0.0.1", "").admit(path, [(b"host", b"127.0.0.1")]) == path


@pytest.mark.parametrize(
    "address",
    ["64:ff9b:1::1", "64:ff9b:1:ffff::7f00:1", "fec0::1", "feff::1", "::127.0.0.1", "::8.8.8.8",
     "::ffff:127.0.0.1", "64:ff9b::7f00:1", "::ffff:0:127.0.0.1", "2002:7f00:1::", "fe80::1%eth0"],
)  # fmt: skip
def test_addresses_that_lead_inside_are_not_public(address: str) -> None:
    assert not is_public(address)


def test_public_addresses_stay_public() -> None:
    assert is_public("8.8.8.8")
    assert is_public("2606:4700::1111")
    assert is_public("64:ff9b::808:808")


def _dripping(send_head: bytes) -> int:
    """A server that sends a byte at a time, for ever."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        try:
            connection.sendall(send_head)
            while True:
                connection.sendall(b"x")
                time.sleep(0.05)
        except OSError:
            pass

    threading.Thread(target=serve, daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


@pytest.mark.parametrize(
    ("head", "scheme"),
    [(b"", "http"), (b"HTTP/1.1 200 OK\r\nX: ", "http"), (b"HTTP/1.1 200 OK\r\n\r\n", "http"),
     (b"\x16\x03\x03\x40\x00", "https")],
    ids=["status", "header", "body", "handshake"],
)  # fmt: skip
def test_an_image_takes_no_longer_than_is_allowed(
    head: bytes, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "SECONDS", 1.0)
    fetcher = Fetcher(("i.example",), lambda *_: ["127.0.0.1"], lambda _: True)
    began = time.monotonic()
    with pytest.raises(FetchError):
        fetcher.fetch(f"{scheme}://i.example:{_dripping(head)}/a.png")
    assert time.monotonic() - began < 4


def test_a_name_that_is_not_resolved_takes_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "SECONDS", 0.5)
    fetcher = Fetcher(("i.example",), lambda *_: time.sleep(20) or [], lambda _: True)
    began = time.monotonic()
    with pytest.raises(FetchError, match="took more than"):
        fetcher.fetch("http://i.example/a.png")
    assert time.monotonic() - began < 4


def test_the_images_of_one_call_have_a_limit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "CALL_SECONDS", 0.0)
    fetcher = Fetcher(("i.example",), lambda *_: ["127.0.0.1"], lambda _: True)
    problems: list[str] = []
    asked = [{"type": "image_url", "image_url": {"url": "http://i.example/a.png"}}]
    assert fetcher.resolve(asked, problems)
    assert "a call's images" in problems[0]
