"""A local stand-in for the part of the hub that an upload uses, as its own client speaks it."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class FakeHub:
    """What it holds and saw.

    Attributes:
        token: what a caller must send; anybody else gets a 401.
        files: path to content, of the one repository.
        lfs: digest to content of what was uploaded apart.
        private: whether the repository is; None before there is one.
        messages: of the commits.
    """

    token: str = "hf_secret"
    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    lfs: dict[str, bytes] = field(default_factory=dict)
    private: bool | None = None
    messages: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, method: str, path: str, body: bytes) -> Any:
        """The JSON answer to a call, or None for what is not there."""
        if path == "/api/repos/create":
            asked = json.loads(body)
            self.private = asked.get("visibility") == "private" or bool(asked.get("private"))
            return {"url": f"{self.url}/{asked['organization']}/{asked['name']}", "name": "x"}
        if path == "/api/validate-yaml":
            return {"errors": [], "warnings": []}
        if "/preupload/" in path:
            return {"files": [self._upload_mode(file) for file in json.loads(body)["files"]]}
        if path.endswith("/info/lfs/objects/batch"):
            return {"objects": [self._lfs_place(o) for o in json.loads(body)["objects"]]}
        if method == "PUT" and (found := re.fullmatch(r"/lfs/([0-9a-f]{64})", path)):
            self.lfs[found[1]] = body
            return {}
        if "/commit/" in path:
            self._commit(body)
            oid = "c" * 40
            return {"commitUrl": f"{self.url}/me/x/commit/{oid}", "commitOid": oid}
        if method == "GET" and re.match(r"/api/models/", path):
            return {"id": "me/x", "sha": "c" * 40, "private": self.private, "siblings": []}
        return None

    @staticmethod
    def _upload_mode(file: dict[str, Any]) -> dict[str, Any]:
        big = file["path"].endswith((".safetensors", ".kolm"))
        mode = "lfs" if big else "regular"
        return {"path": file["path"], "uploadMode": mode, "shouldIgnore": False}

    def _lfs_place(self, wanted: dict[str, Any]) -> dict[str, Any]:
        place = {"href": f"{self.url}/lfs/{wanted['oid']}", "header": {}}
        return {"oid": wanted["oid"], "size": wanted["size"], "actions": {"upload": place}}

    def _commit(self, body: bytes) -> None:
        for line in body.splitlines():
            said = json.loads(line)
            value = said["value"]
            if said["key"] == "header":
                self.messages.append(value["summary"])
            elif said["key"] == "file":
                self.files[value["path"]] = base64.b64decode(value["content"])
            elif said["key"] == "lfsFile":
                self.files[value["path"]] = self.lfs[value["oid"]]


@contextlib.contextmanager
def serving() -> Iterator[FakeHub]:
    """A fake hub on a port of its own, for as long as the block lasts."""
    fake = FakeHub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            known = self.headers.get("Authorization") == f"Bearer {fake.token}"
            apart = self.path.startswith("/lfs/")
            answer = fake.answer(self.command, self.path, body) if known or apart else None
            data = json.dumps(answer if answer is not None else {"error": "no"}).encode()
            missing = 404 if known else 401
            self.send_response(200 if answer is not None else missing)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = _do  # noqa: N815  # the names that the server calls

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
