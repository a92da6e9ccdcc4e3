"""Who may use the proxy, and what it keeps to itself."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx

from tests.capture.proxy.helpers import KEY, Start, request
from tests.support.command import kolm_process


def test_no_key_cookie_or_token_is_stored_or_shown(start: Start, home: Path) -> None:
    token = "PROXY-TOKEN-SECRET-0123456789"
    proxy = start(env={"KOLM_PROXY_TOKEN": token})
    secrets = [KEY, "COOKIE-SECRET", "CLIENT-COOKIE", token, "QUERY-SECRET"]
    headers = {
        "Authorization": f"Bearer {KEY}",
        "x-api-key": KEY,
        "Cookie": "a=CLIENT-COOKIE",
        "X-Kolm-Token": token,
    }
    url = f"{proxy.url}/v1/chat/completions?key=QUERY-SECRET"
    answer = httpx.post(url, json=request(), headers=headers)
    assert "COOKIE-SECRET" in answer.headers["set-cookie"]
    assert httpx.post(f"{proxy.url}/v1/x", headers=headers).status_code == 200
    echoed = httpx.get(f"{proxy.url}/v1/x", headers=headers).json()
    assert "x-kolm-token" not in echoed["headers"]
    proxy.recorded(1)
    # Killed, so that the spool is still there as well.
    spool = list((home / "spool").rglob("*.calls"))
    content = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    proxy.stop()
    assert spool
    assert proxy.process.stderr is not None
    shown = "".join(proxy.lines) + proxy.process.stderr.read()
    for secret in secrets:
        assert secret.encode() not in content
        assert secret not in shown


EVERYWHERE = "0.0.0.0"  # noqa: S104


def test_beyond_loopback_a_token_is_demanded(start: Start, upstream: str) -> None:
    arguments = ("capture", "proxy", "--to", "ns", "--upstream", upstream, "--host", EVERYWHERE)
    refused = kolm_process(*arguments)
    assert refused.code == 2
    assert "a token is needed" in refused.err
    token = "0123456789abcdef0123"
    proxy = start("--host", EVERYWHERE, env={"KOLM_PROXY_TOKEN": token})
    url = proxy.url.replace(EVERYWHERE, "127.0.0.1")
    assert httpx.get(f"{url}/v1/x").status_code == 403
    assert httpx.get(f"{url}/v1/x", headers={"X-Kolm-Token": "wrong"}).status_code == 403
    assert httpx.get(f"{url}/v1/x", headers={"X-Kolm-Token": token}).status_code == 200
    echoed = httpx.get(f"{url}/kolm-token/{token}/v1/x")
    assert echoed.json()["path"] == "/v1/x"


def test_a_web_page_cannot_use_the_proxy_under_another_name(start: Start) -> None:
    proxy = start()
    assert httpx.get(f"{proxy.url}/v1/x", headers={"Host": "evil.example"}).status_code == 403
    assert httpx.get(f"{proxy.url}/v1/x", headers={"Host": "localhost:1"}).status_code == 200


def test_a_taken_port_and_a_wrong_upstream_are_said(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = kolm_process(
            "capture", "proxy", "--to", "ns", "--upstream", "http://x", "--port", port
        )
    assert ran.code == 5
    assert "cannot listen" in ran.err
    ran = kolm_process("capture", "proxy", "--to", "ns", "--upstream", "api.openai.com")
    assert ran.code == 2
    assert "is not a URL" in ran.err
