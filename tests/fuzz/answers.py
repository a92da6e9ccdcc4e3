"""What servers answer to kolm, and what clients ask of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx

from kolm_cli.bundle.container.open_bundle import open_bundle
from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import KolmError
from kolm_cli.core.progress import Silent
from kolm_cli.parity.client import Server, ServerError, identify
from kolm_cli.registry.names import Remote
from kolm_cli.registry.oci_image import image_of
from kolm_cli.registry.remote import patience
from kolm_cli.registry.remote.fetch import fetch
from kolm_cli.registry.store import Registry
from kolm_cli.serving.requests import read_request
from tests.fuzz.mutate import documents
from tests.fuzz.target import Target, bundles, empty_home, png

# -- a registry -----------------------------------------------------------------------------------

_FOUND = {"status": 200, "headers": {}}
_TOKEN = {**_FOUND, "body": '{"token": "t"}'}
_ASKS = 'Bearer realm="https://auth.test/token",service="a"'
_CHALLENGE = {"status": 401, "headers": {"WWW-Authenticate": _ASKS}, "body": ""}
_MOVED = {"status": 307, "headers": {"Location": "https://blobs.test/x"}, "body": ""}
_SCRIPTS: Sequence[Mapping[str, Any]] = (
    {"first": _CHALLENGE, "token": _TOKEN, "manifest": _FOUND, "blob": _MOVED, "moved": _FOUND},
    {"manifest": {**_FOUND, "headers": {"Docker-Content-Digest": "sha256:" + "0" * 64}}},
    {"manifest": {**_FOUND, "body": '{"schemaVersion": 2}'}},
    {"blob": {"status": 206, "headers": {"Content-Range": "bytes 0-9/10"}}},
    {"blob": {"status": 503, "headers": {"Retry-After": "1"}, "body": "later"}},
    {"blob": {**_FOUND, "headers": {"Content-Encoding": "gzip"}}},
)


@lru_cache
def _image() -> tuple[bytes, dict[str, bytes]]:
    """The OCI manifest of a good bundle, and its blobs by digest."""
    files = bundles()[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.kolm"
        path.write_bytes(files[""])
        with open_bundle(path) as bundle:
            image = image_of(bundle)
            return image.data, {file.hex: files[file.path] for file in image.files}


def _answer(said: object, content: bytes) -> httpx.Response:
    """An answer of the script; what of it is none is as if it were not there."""
    fields = said if isinstance(said, dict) else {}
    status, headers, body = (fields.get(key) for key in ("status", "headers", "body"))
    told = headers.items() if isinstance(headers, dict) else ()
    given = content if body is None else f"{body}".encode(errors="replace")
    return httpx.Response(
        status if type(status) is int and 200 <= status < 600 else 200,
        headers=[
            (f"{k}".encode(errors="replace"), f"{v}".encode(errors="replace")) for k, v in told
        ],
        # Not as `content`, which would be read already.
        stream=httpx.ByteStream(given),
    )


class _Registry:
    """A registry that answers as a script says, and else as a good one."""

    def __init__(self, script: Mapping[str, Any]) -> None:
        self._script, self._first, self._wanted = script, True, ""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        manifest, blobs = _image()
        first, self._first = self._first, False
        host, path = request.url.host, request.url.path
        if first and "first" in self._script:
            return _answer(self._script["first"], b"")
        if host == "auth.test":
            return _answer(self._script.get("token"), b"{}")
        if host == "a.test":
            self._wanted = path.rpartition(":")[2]
        if "/manifests/" in path:
            return _answer(self._script.get("manifest"), manifest)
        kind = "blob" if host == "a.test" else "moved"
        return _answer(self._script.get(kind), blobs.get(self._wanted, b""))


def _pull(data: bytes) -> object:
    try:
        script = json.loads(data)
    except (ValueError, RecursionError):
        return None
    registry = _Registry(script if isinstance(script, dict) else {})
    real = httpx.Client

    def connected(**options: Any) -> httpx.Client:
        return real(
            transport=httpx.MockTransport(registry),
            headers=options["headers"],
            event_hooks=options["event_hooks"],
        )

    with (
        empty_home() as place,
        patch.object(httpx, "Client", connected),
        patch.object(patience, "PAUSE", 0.0),
    ):
        return fetch(
            Registry(place / "registry"),
            Remote("a.test", "b", "c"),
            place / "a.kolm",
            TrustPolicy(),
            Silent(),
            allow_untrusted=True,
        )


# -- a server of models ---------------------------------------------------------------------------

_SAID = (
    {"data": [{"id": "m", "owned_by": "vllm"}]},
    {"choices": [{"message": {"content": "7"}}], "usage": {"prompt_tokens": 3}},
    {"version": "0.1"},
)


def _served(data: bytes) -> object:
    """Each question of `kolm parity`, to a server that always answers the same."""

    async def ask() -> None:
        transport = httpx.MockTransport(lambda _: httpx.Response(200, content=data))
        async with httpx.AsyncClient(transport=transport) as http:
            server = Server(http, "http://a.test", 5)
            with contextlib.suppress(KolmError):
                for _, owner in await server.models():
                    await identify(server, owner)
            with contextlib.suppress(ServerError):
                await server.ask("m", [], 5, {})

    return asyncio.run(ask())


# -- a client of `kolm serve` ---------------------------------------------------------------------


def _asked() -> Sequence[bytes]:
    import base64

    url = "data:image/png;base64," + base64.b64encode(png()).decode()
    content = [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": url}}]
    options = {"max_tokens": 5, "temperature": 0.5, "stop": ["a"], "stream": True, "n": 1}
    system = {"role": "system", "content": "short"}
    return [
        json.dumps({"model": "m", "messages": messages, **options}).encode()
        for messages in ([system, {"role": "user", "content": content}], [system] * 2)
    ]


TARGETS: tuple[Target, ...] = (
    Target(
        "registry-answers", lambda: [json.dumps(s).encode() for s in _SCRIPTS], documents, _pull
    ),
    Target("server-answers", lambda: [json.dumps(s).encode() for s in _SAID], documents, _served),
    Target(
        "serve-request",
        _asked,
        documents,
        lambda data: read_request(canonical_json.loads(data, max_bytes=1 << 20)),
    ),
)
