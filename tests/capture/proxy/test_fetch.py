"""Images by URL: from allowed public hosts only, with limits of size and time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kolm_cli.capture.proxy import fetch
from kolm_cli.capture.proxy.fetch import Fetcher, FetchError, is_public
from tests.capture.helpers import png


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1/secret")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        try:
            if self.path.startswith("/large"):
                for _ in range(3000):
                    self.wfile.write(bytes(10_000))
            elif self.path.startswith("/slow"):
                for _ in range(100):
                    self.wfile.write(b"x")
                    time.sleep(0.05)
            else:
                self.wfile.write(png())
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


def anywhere(*hosts: str) -> Fetcher:
    """A fetcher to which loopback looks public, so that a test can be the internet."""
    return Fetcher(hosts, resolve=lambda *_: ["127.0.0.1"], public=lambda _: True)


def test_an_allowed_public_host_is_fetched(port: int) -> None:
    fetcher = anywhere("img.example", ".cdn.example")
    assert fetcher.fetch(f"http://img.example:{port}/a.png?x=1") == png()
    assert fetcher.fetch(f"http://a.b.cdn.example:{port}/") == png()
    problems: list[str] = []
    part = {"type": "image_url", "image_url": {"url": f"http://img.example:{port}/a.png"}}
    source = {"type": "url", "url": f"http://img.example:{port}/a.png"}
    found = fetcher.resolve({"deep": [part, {"type": "image", "source": source}]}, problems)
    assert problems == []
    assert found["deep"][0]["image_url"].startswith("data:")
    assert found["deep"][1]["source"]["type"] == "base64"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://other.example/a", "not allowed"),
        ("http://notcdn.example/a", "not allowed"),
        ("http://img.example@evil.example/a", "images from evil.example are not allowed"),
        ("file:///etc/passwd", "begins with file"),
        ("ftp://img.example/a", "begins with ftp"),
        ("http://[::1/a", "is not one"),
        ("http://img.example:99999/a", "is not one"),
    ],
)
def test_what_was_not_allowed_is_not_fetched(url: str, expected: str) -> None:
    with pytest.raises(FetchError, match=expected):
        anywhere("img.example", ".cdn.example").fetch(url)


def test_redirects_large_and_slow_answers_are_refused(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetcher = anywhere("h")
    with pytest.raises(FetchError, match="answered 302"):
        fetcher.fetch(f"http://h:{port}/moved")
    with pytest.raises(FetchError, match="more than"):
        fetcher.fetch(f"http://h:{port}/large")
    monkeypatch.setattr(fetch, "SECONDS", 0.3)
    begun = time.monotonic()
    with pytest.raises(FetchError, match="seconds"):
        fetcher.fetch(f"http://h:{port}/slow")
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1",
     "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1",  # noqa: S104
     "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "ff02::1"],
)  # fmt: skip
def test_private_addresses_are_never_connected_to(address: str) -> None:
    assert not is_public(address)
    # One of several addresses is enough to refuse: which one would be used is a matter of luck.
    fetcher = Fetcher(("h",), resolve=lambda *_: ["93.184.215.14", address])
    with pytest.raises(FetchError, match="not on the public internet"):
        fetcher.fetch("http://h/a.png")


def test_localhost_is_refused_even_when_it_is_allowed(port: int) -> None:
    with pytest.raises(FetchError, match="not on the public internet"):
        Fetcher(("localhost",)).fetch(f"http://localhost:{port}/a.png")
    assert is_public("93.184.215.14")
    assert is_public("2606:2800:21f:cb07:6820:80da:af6b:8b2c")
