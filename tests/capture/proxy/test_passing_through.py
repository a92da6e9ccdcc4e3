"""What passes the proxy is what the upstream said, byte for byte and as it comes."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.capture.proxy.helpers import ANSWER, KEY, Start, Upstream, pairs, request


@pytest.mark.parametrize("encoding", ["identity", "gzip", "br, gzip;q=0.5"])
@pytest.mark.parametrize("stream", [False, True])
def test_the_answer_comes_back_byte_for_byte(
    start: Start, upstream: str, home: Path, encoding: str, stream: bool
) -> None:
    proxy = start()
    seen = []
    for base in (upstream, proxy.url):
        with (
            httpx.Client() as client,
            client.stream(
                "POST",
                f"{base}/v1/chat/completions",
                json=request(stream),
                headers={"Accept-Encoding": encoding},
            ) as response,
        ):
            headers = [
                (k, v)
                for k, v in response.headers.raw
                if k.lower() not in (b"date", b"server", b"transfer-encoding", b"connection")
            ]
            seen.append((response.status_code, headers, b"".join(response.iter_raw())))
    assert seen[0] == seen[1]
    assert proxy.recorded(1)["pairs"] == 1
    assert pairs(home)[0].conversation.response == ANSWER


def test_a_stream_arrives_as_it_is_made(start: Start) -> None:
    proxy = start()
    url = f"{proxy.url}/v1/chat/completions"
    with httpx.Client() as client, client.stream("POST", url, json=request(True)) as response:
        times = [time.monotonic() for _ in response.iter_raw()]
    # The upstream waits 10 ms inside each of its nine events.
    assert len(times) > 9
    assert times[-1] - times[0] > 0.05


def test_other_paths_and_errors_pass_untouched(start: Start, upstream: str, home: Path) -> None:
    proxy = start()
    with httpx.Client(base_url=proxy.url) as client:
        got = client.request(
            "PUT",
            "/v1/files/a%2Fb;c?x=1&y=%20z&x=2",
            content=b"\x00\xff raw",
            headers={"X-Own": "yes", "Authorization": f"Bearer {KEY}", "X-Status": "418"},
        )
        assert got.status_code == 418
        seen = got.json()
        assert seen["path"] == "/v1/files/a%2Fb;c"
        assert seen["query"] == "x=1&y=%20z&x=2"
        assert seen["body"] == "\x00\xff raw"
        assert seen["method"] == "PUT"
        assert seen["headers"]["x-own"] == "yes"
        assert seen["headers"]["authorization"] == f"Bearer {KEY}"
        assert seen["headers"]["host"] == upstream.removeprefix("http://")
        assert client.get("/v1/models").json()["body"] == ""
        chunked = client.post("/v1/upload", content=iter([b"a", b"b"]))
        assert chunked.json()["body"] == "ab"
        failed = client.post("/v1/chat/completions", json=request(model="broken"))
        assert failed.status_code == 404
        assert failed.json() == {"error": {"message": "no such model"}}
    assert proxy.stop() == 0
    assert proxy.last["calls"] == 4
    assert proxy.last["recordable"] == 0


def test_an_upstream_base_url_with_and_without_its_version(start: Start, upstream: str) -> None:
    proxy = start(to=f"{upstream}/v1")
    for path in ("/v1/echo", "/echo"):
        assert httpx.get(proxy.url + path).json()["path"] == "/v1/echo"


def test_an_upstream_that_is_not_there_is_said(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    proxy = start(to=f"http://127.0.0.1:{port}")
    answer = httpx.post(f"{proxy.url}/v1/chat/completions", json=request())
    assert answer.status_code == 502
    assert "cannot be reached" in answer.json()["error"]["message"]


def test_an_upstream_that_breaks_off_is_seen_to_break_off(start: Start) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def answer_half() -> None:
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n5\r\ndata:\r\n"
        )
        connection.close()

    threading.Thread(target=answer_half, daemon=True).start()
    proxy = start(to=f"http://127.0.0.1:{listener.getsockname()[1]}")
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{proxy.url}/v1/chat/completions", json=request(True))
    assert proxy.stop() == 0
    listener.close()
    assert (proxy.last["recordable"], proxy.last["upstream_failed"]) == (0, 1)
    assert proxy.process.stderr is not None
    assert proxy.process.stderr.read() == ""


def test_a_client_that_goes_away_is_not_waited_for(start: Start) -> None:
    slow = Upstream(0.5)
    proxy = start(to=slow.url)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{proxy.url}/v1/chat/completions", json=request(True), timeout=0.2)
    answer = httpx.post(f"{proxy.url}/v1/chat/completions", json=request(), timeout=30)
    assert answer.status_code == 200
    proxy.recorded(1)
    assert proxy.stop() == 0
    slow.close()
    # Only the call that was acknowledged is recorded.
    assert (proxy.last["recordable"], proxy.last["recorded"]) == (1, 1)


def test_a_client_that_leaves_at_the_last_event_has_a_record(start: Start) -> None:
    """Clients close at the end mark; the upstream's own end may come later."""
    listener = socket.create_server(("127.0.0.1", 0))
    left = threading.Event()

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            asked = b""
            while not asked.endswith(b"}"):
                asked += connection.recv(65536)
            choice = {"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}
            piece = json.dumps({"choices": [choice]})
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
                + f"data: {piece}\n\ndata: [DONE]\n\n".encode()
            )
            left.wait(30)

    threading.Thread(target=answer, daemon=True).start()
    proxy = start(to=f"http://127.0.0.1:{listener.getsockname()[1]}")
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "q"}]}
    with httpx.stream("POST", f"{proxy.url}/v1/chat/completions", json=body) as response:
        for line in response.iter_lines():
            if line == "data: [DONE]":
                break
    time.sleep(0.5)
    left.set()
    assert proxy.recorded(1)["pairs"] == 1
    listener.close()
