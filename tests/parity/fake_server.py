"""A server of OpenAI's chat API that says what a test wants it to."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Gives the status and the body of an answer.
Answer = Callable[[dict[str, Any], str], tuple[int, bytes]]


def completion(text: str | None, prompt_tokens: int | None = None) -> tuple[int, bytes]:
    body: dict[str, Any] = {"choices": [{"message": {"role": "assistant", "content": text}}]}
    if prompt_tokens is not None:
        body["usage"] = {"prompt_tokens": prompt_tokens}
    return 200, json.dumps(body).encode()


def image_of(request: dict[str, Any]) -> str:
    """The digest of the first image of a request; empty when it has none."""
    for message in request["messages"]:
        if isinstance(message["content"], list):
            for part in message["content"]:
                if part["type"] == "image_url":
                    data = part["image_url"]["url"].partition("base64,")[2]
                    return sha256(base64.b64decode(data)).hexdigest()
    return ""


@dataclass
class Fake:
    """A running server.

    Attributes:
        url: its address.
        paths: what it has besides chat completions.
        models: the models that it lists, with their owners.
        requests: the bodies of the chat completions that it was asked.
        headers: the headers of the last request.
    """

    url: str
    answer: Answer
    paths: dict[str, Any] = field(default_factory=dict)
    models: list[tuple[str, str]] = field(default_factory=lambda: [("m", "vllm")])
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def serving(answer: Answer, **settings: Any) -> Iterator[Fake]:
    """A server that answers so: the function gets the request and the digest of its image."""
    fake = Fake("", answer, **settings)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def _send(self, status: int, body: bytes) -> None:
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def _look(self, body: Any) -> None:
            fake.headers = dict(self.headers)
            found = fake.paths.get(self.path)
            if self.path == "/v1/models":
                found = {"data": [{"id": name, "owned_by": owner} for name, owner in fake.models]}
            if callable(found):
                found = found(body)
            self._send(404 if found is None else 200, json.dumps(found or {}).encode())

        def do_GET(self) -> None:
            self._look(None)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fake.headers = dict(self.headers)
            if self.path != "/v1/chat/completions":
                return self._look(body)
            fake.requests.append(body)
            return self._send(*fake.answer(body, image_of(body)))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
