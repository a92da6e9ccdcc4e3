"""A small OCI registry that fails on demand, to see what the client does then."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

Headers = dict[str, str]


@dataclass
class FakeRegistry:
    """What it holds, what it saw, and how it misbehaves.

    Attributes:
        auth: None, `basic` or `bearer`; the password is `s3cret`.
        corrupt: blobs served with a flipped byte.
        cut: how many answers to blobs still break off in the middle.
        cut_uploads: how many pieces still break off before they are read.
        forget_uploads: whether an upload that broke off is gone.
        honest_ranges: whether `Range` is honoured.
        elsewhere: a host that blobs are redirected to.
        digest_header: what is said of manifests, instead of the truth.
    """

    auth: str | None = None
    corrupt: set[str] = field(default_factory=set)
    cut: int = 0
    cut_uploads: int = 0
    forget_uploads: bool = False
    honest_ranges: bool = True
    elsewhere: str = ""
    digest_header: str = ""
    port: int = 0
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    seen: list[tuple[str, str, Headers]] = field(default_factory=list)
    edit_manifest: Callable[[bytes], bytes] = field(default=lambda data: data)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def requests(self, method: str, part: str = "") -> list[Headers]:
        return [h for m, path, h in self.seen if m == method and part in path]


def _handler(fake: FakeRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def answer(self, code: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def hang_up(self) -> None:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

        def allowed(self) -> bool:
            said = self.headers.get("Authorization", "")
            basic = "Basic " + base64.b64encode(b"ann:s3cret").decode()
            if self.path.startswith("/token"):
                if said != basic:
                    self.answer(401)
                    return False
                scope = parse_qs(urlsplit(self.path).query)["scope"][0]
                self.answer(200, json.dumps({"token": f"for-{scope}"}).encode())
                return False
            if fake.auth == "basic" and said != basic:
                self.body()
                self.answer(401, WWW_Authenticate='Basic realm="fake"')
                return False
            if fake.auth == "bearer" and not said.startswith("Bearer for-repository:"):
                self.body()
                realm = f'Bearer realm="http://{fake.host}/token",service="fake"'
                self.answer(401, WWW_Authenticate=realm)
                return False
            return True

        def handle_any(self) -> None:
            fake.seen.append((self.command, self.path, dict(self.headers)))
            if not self.allowed():
                return
            path = urlsplit(self.path).path
            if found := re.search(r"/blobs/uploads/(\w*)$", path):
                self.upload(found[1])
            elif found := re.search(r"/blobs/(sha256:\w+)$", path):
                self.blob(found[1])
            elif found := re.search(r"/manifests/(.+)$", path):
                self.manifest(found[1])
            else:
                self.answer(404)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = handle_any  # noqa: N815

        def blob(self, digest: str) -> None:
            data = fake.blobs.get(digest)
            if data is None:
                self.answer(404)
                return
            if fake.elsewhere and self.command == "GET":
                self.answer(307, Location=f"http://{fake.elsewhere}{self.path}")
                return
            if digest in fake.corrupt:
                data = data[:-1] + bytes([data[-1] ^ 1])
            start = 0
            if fake.honest_ranges and "Range" in self.headers:
                start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            if self.command == "GET" and fake.cut and len(data) > 100_000:
                fake.cut -= 1
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
                self.send_header("Content-Length", str(len(data) - start))
                self.end_headers()
                self.wfile.write(data[start : start + 50_000])
                self.hang_up()
                return
            if start:
                place = f"bytes {start}-{len(data) - 1}/{len(data)}"
                self.answer(206, data[start:], Content_Range=place)
            else:
                self.answer(200, data)

        def place(self) -> str:
            return urlsplit(self.path).path.rpartition("/")[0] + "/"

        def upload(self, name: str) -> None:
            if self.command == "POST":
                name = f"u{len(fake.seen)}"
                fake.uploads[name] = b""
                self.answer(202, Location=f"{self.place()}{name}")
                return
            if self.command == "PATCH" and fake.cut_uploads:
                fake.cut_uploads -= 1
                if fake.forget_uploads:
                    del fake.uploads[name]
                else:
                    fake.uploads[name] += self.rfile.read(1000)
                self.hang_up()
                return
            data = self.body()
            if name not in fake.uploads:
                self.answer(404)
                return
            have = len(fake.uploads[name])
            if "Content-Range" in self.headers:
                start = int(self.headers["Content-Range"].split("-")[0])
                if start != have:
                    self.answer(416, Range=f"0-{max(0, have - 1)}")
                    return
            fake.uploads[name] += data
            have += len(data)
            if self.command == "PUT":
                digest = parse_qs(urlsplit(self.path).query)["digest"][0]
                whole = fake.uploads.pop(name)
                if f"sha256:{hashlib.sha256(whole).hexdigest()}" != digest:
                    self.answer(400, b'{"errors":[{"code":"DIGEST_INVALID"}]}')
                    return
                fake.blobs[digest] = whole
                self.answer(201, Docker_Content_Digest=digest)
                return
            code = 204 if self.command == "GET" else 202
            location = f"{self.place()}{name}"
            self.answer(code, Location=location, Range=f"0-{max(0, have - 1)}")

        def manifest(self, reference: str) -> None:
            if self.command == "PUT":
                data = self.body()
                digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
                fake.manifests[reference] = fake.manifests[digest] = data
                self.answer(201, Docker_Content_Digest=fake.digest_header or digest)
                return
            if reference not in fake.manifests:
                self.answer(404)
                return
            data = fake.edit_manifest(fake.manifests[reference])
            digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
            self.answer(200, data, Docker_Content_Digest=fake.digest_header or digest)

    return Handler


@contextlib.contextmanager
def serving(**behaviour: object) -> Iterator[FakeRegistry]:
    """A fake registry on a free port."""
    fake = FakeRegistry(**behaviour)  # type: ignore[arg-type]
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
    server.daemon_threads = True
    fake.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
