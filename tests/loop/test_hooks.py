"""Hooks: what a command and a webhook are told, and what is said when they do not listen."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.core.progress import Silent
from kolm_cli.loop import hooks
from kolm_cli.loop.journal import Journal

EVENT = {"event": "promoted", "name": "x", "cid": "bafk", "accuracy": 0.5, "previous": None}


class Receiver(http.server.BaseHTTPRequestHandler):
    """Keeps what it gets; answers with what its path says."""

    got: list[tuple[dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))  # type: ignore[attr-defined]
        if self.path == "/drip":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while self.server.got:  # type: ignore[attr-defined]
                self.wfile.write(b"a: b\r\n")
                time.sleep(0.02)
            return
        self.send_response(int(self.path.strip("/")))
        self.send_header("Location", "/200")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Any]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.got = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def call(tmp_path: Path, hook: Any) -> list[str]:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.end(0, "kept", "", [hook])
    failed = hooks.make_owed_calls(journal, Silent())
    journal.close()
    return failed


def test_a_webhook_is_signed(
    tmp_path: Path, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOLM_LOOP_SECRET", "s3cret")
    port = receiver.server_address[1]
    assert call(tmp_path, hooks.webhook(f"http://127.0.0.1:{port}/204", EVENT)) == []
    headers, body = receiver.got[0]
    assert json.loads(body) == EVENT
    wanted = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert headers["X-Kolm-Signature"] == f"sha256={wanted}"


@pytest.mark.parametrize("code", [302, 404, 500])
def test_an_answer_that_is_no_success(tmp_path: Path, receiver: Any, code: int) -> None:
    port = receiver.server_address[1]
    failed = call(tmp_path, hooks.webhook(f"http://127.0.0.1:{port}/{code}", EVENT))
    assert failed == [f"http://127.0.0.1:{port}/{code}: it answered {code}"]
    assert len(receiver.got) == 1  # no redirect was followed


def test_nobody_is_there(tmp_path: Path, receiver: Any) -> None:
    address = "http://127.0.0.1:1/"
    assert "refused" in call(tmp_path, hooks.webhook(address, EVENT))[0]


def test_an_answer_that_drips_has_an_end(
    tmp_path: Path, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "WEBHOOK_SECONDS", 0.2)
    address = f"http://127.0.0.1:{receiver.server_address[1]}/drip"
    assert "did not answer within" in call(tmp_path, hooks.webhook(address, EVENT))[0]
    receiver.got.clear()


def test_a_command_gets_the_event_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOLM_SIGNING_KEY", "pem text")
    line = f"sh -c 'env > {tmp_path}/env'"
    assert call(tmp_path, hooks.command(line, EVENT)) == []
    said = (tmp_path / "env").read_text().splitlines()
    assert {"KOLM_LOOP_EVENT=promoted", "KOLM_LOOP_CID=bafk", "KOLM_LOOP_PREVIOUS="} <= {*said}
    assert not any("pem text" in line for line in said)


def test_a_command_that_fails_or_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "No such file" in call(tmp_path, hooks.command("no-such-command", EVENT))[0]
    assert (
        "it ended with 3: why"
        in call(tmp_path, hooks.command("sh -c 'echo why; exit 3'", EVENT))[-1]
    )
    monkeypatch.setattr(hooks, "COMMAND_SECONDS", 0.2)
    assert "longer than" in call(tmp_path, hooks.command("sh -c 'sleep 60 & sleep 60'", EVENT))[-1]
