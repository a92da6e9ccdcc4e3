"""A web page in a browser on this machine cannot use the proxy, unless it is let in."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.capture.proxy.helpers import Start, pairs, request
from tests.support.command import kolm_process

BODY = json.dumps(request()).encode()
PATH = "/v1/chat/completions"


def test_a_cross_site_post_is_neither_forwarded_nor_stored(start: Start, home: Path) -> None:
    proxy = start()
    simple = {"content-type": "text/plain"}
    port = httpx.URL(proxy.url).port
    refused = [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": f"http://127.0.0.1.evil.example:{port}"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": proxy.url},
        {"sec-fetch-site": "none", "origin": "https://evil.example"},
    ]
    with httpx.Client(base_url=proxy.url) as client:
        for headers in refused:
            answer = client.post(PATH, content=BODY, headers={**simple, **headers})
            assert answer.status_code == 403, headers
            assert "--allow-origin" in answer.text
            assert client.get("/v1/x", headers=headers).status_code == 403
        for headers in ({}, {"sec-fetch-site": "none"}, {"origin": proxy.url}):
            answer = client.post(PATH, content=BODY, headers={**simple, **headers})
            assert answer.status_code == 200, headers
    assert proxy.recorded(3)["recorded"] == 3
    assert len(pairs(home)) == 1


def test_a_token_is_no_leave_for_web_pages(start: Start) -> None:
    token = "0123456789abcdef0123"
    proxy = start(env={"KOLM_PROXY_TOKEN": token})
    url = f"{proxy.url}/kolm-token/{token}{PATH}"
    assert httpx.post(url, content=BODY, headers={"origin": "null"}).status_code == 403
    assert httpx.post(url, content=BODY).status_code == 200


def test_pages_of_an_origin_can_be_let_in(start: Start) -> None:
    proxy = start("--allow-origin", "https://app.example")
    mine = {"origin": "https://app.example", "sec-fetch-site": "cross-site"}
    assert httpx.post(proxy.url + PATH, content=BODY, headers=mine).status_code == 200
    other = {**mine, "origin": "https://app.example.evil"}
    assert httpx.post(proxy.url + PATH, content=BODY, headers=other).status_code == 403
    no_origin = {"sec-fetch-site": "cross-site"}
    assert httpx.get(proxy.url + "/v1/x", headers=no_origin).status_code == 403


@pytest.mark.parametrize(
    "origin", ["app.example", "*", "https://app.example/path", "null", "http://["]
)
def test_an_origin_must_be_one(origin: str, home: Path) -> None:
    ran = kolm_process(
        "capture", "proxy", "--to", "ns", "--upstream", "http://x", "--allow-origin", origin
    )
    assert ran.code == 2
    assert "is not an origin" in ran.err
