"""Requests that no page of kolm sends: each gets an answer, and holds up nothing."""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx
import pytest

WISH = {"id": 1, "digest": "x", "state": "accepted"}


@pytest.mark.parametrize(
    "more",
    [{"id": 10**30}, {"id": -(10**30)}, {"id": 2**63}, {"id": True}, {"id": 1.5}, {"id": None},
     {"digest": 5}, {"digest": "\ud800"}, {"response": "\ud800"}, {"response": 7},
     {"state": ["pending"]}, {"state": "\udfff"}],
    ids=str,
)  # fmt: skip
def test_odd_decisions_are_refused(page: str, more: dict[str, Any]) -> None:
    body = json.dumps({**WISH, **more}).encode()
    headers = {"content-type": "application/json"}
    assert httpx.post(f"{page}review", content=body, headers=headers).status_code in (400, 409)


def test_odd_addresses_and_other_sites_are_refused(page: str) -> None:
    assert httpx.get(f"{page}pairs?after={'9' * 18}").status_code == 200
    for odd in ("9" * 19, "-1", "1e9", "%ED%A0%80", "%00"):
        assert httpx.get(f"{page}pairs?after={odd}").status_code == 400
    for name in ("%ED%A0%80", "%00", "a" * 5000, "A" * 64):
        assert httpx.get(f"{page}image/{name}").status_code == 404
    elsewhere = ({"host": "evil.example"}, {"host": "["}, {"host": "[::1].evil.example"})
    for headers in ({"origin": "null"}, {"sec-fetch-site": "cross-site"}, *elsewhere):
        assert httpx.get(page, headers=headers).status_code == 403
        assert httpx.post(f"{page}review", json=WISH, headers=headers).status_code == 403


def test_half_a_body_keeps_nothing_from_ending(page: str) -> None:
    """The fixture waits for the end, and for the status 0."""
    address = httpx.URL(page)
    assert address.port
    half = socket.create_connection((address.host, address.port), 30)
    head = f"POST {address.raw_path.decode()}review HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    half.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{{".encode())
    assert httpx.get(page).status_code == 200
