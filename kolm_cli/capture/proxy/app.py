"""The application that serves: passes requests on and answers back, byte for byte."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import httpx
from starlette.types import Receive, Scope, Send

from kolm_cli.capture.http_limits import StalledError, next_message
from kolm_cli.capture.proxy.access import TOKEN_HEADER, Access, RefusedError
from kolm_cli.capture.proxy.calls import DECODABLE, api_of
from kolm_cli.capture.proxy.spool import Call

# Of one connection, not of the message (RFC 9110, 7.6.1). Host is the upstream's.
_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te"}
    | {b"trailer", b"transfer-encoding", b"upgrade", b"host", TOKEN_HEADER}
)
# What ends a stream of each API. Line breaks inside of data are escaped, so there can be none.
_LAST_EVENT = re.compile(
    rb"^(?:data: \[DONE\]|event: message_stop|event: response\.completed)\r?\n(?:.+\n)*\r?\n",
    re.MULTILINE,
)

# A call whose bodies are longer passes, and is not recorded.
MAX_RECORDED = 128 * 1024 * 1024

Headers = list[tuple[bytes, bytes]]


@dataclass
class Counts:
    """What the serving process knows.

    Attributes:
        calls: requests answered, of any kind.
        recordable: calls of a recorded API that succeeded and were passed on whole.
        failed: requests to which the upstream could not be asked.
        in_flight: requests that are under way.
        too_long: recordable calls whose bodies are beyond the limit.
    """

    calls: int = 0
    recordable: int = 0
    failed: int = 0
    in_flight: int = 0
    too_long: int = 0


@dataclass
class _Tee:
    """Keeps a copy of what passes, up to the limit."""

    pieces: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size <= MAX_RECORDED:
            self.pieces.append(piece)
        else:
            self.pieces.clear()


class Proxy:
    """An ASGI application.

    Args:
        upstream: where requests go.
        namespace: where pairs go.
        access: decides who may use it.
        record: takes a finished call; must not block and must not raise.
        client: the connections to the upstream.
    """

    def __init__(
        self,
        upstream: str,
        namespace: str,
        access: Access,
        record: Callable[[Call], None],
        client: httpx.AsyncClient,
    ) -> None:
        self._upstream = httpx.URL(upstream)
        self._prefix = self._upstream.raw_path.rstrip(b"/")
        self._namespace = namespace
        self._access = access
        self._record = record
        self._client = client
        self.counts = Counts()
        # Whether the server is to end.
        self.ending: Callable[[], bool] = lambda: False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1011})
            return
        self.counts.in_flight += 1
        try:
            await self._serve(scope, receive, send)
        finally:
            self.counts.in_flight -= 1
            self.counts.calls += 1

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            path = self._access.admit(scope["raw_path"], scope["headers"])
        except RefusedError as error:
            await _refuse(send, error.status, f"kolm: {error}")
            return
        api = api_of(scope["method"], path.decode("latin-1"))
        asked = _Tee()
        request = httpx.Request(
            scope["method"],
            self._target(path, scope["query_string"]),
            headers=_forwarded(scope["headers"], recorded=api is not None),
            content=_body(receive, asked, self.ending) if _has_body(scope["headers"]) else None,
        )
        try:
            response = await self._client.send(request, stream=True)
        except StalledError:
            self.counts.failed += 1
            await _refuse(send, 408, "kolm: the request's body did not go on")
            return
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self.counts.failed += 1
            # The text of an error may hold the URL, and that a key; its kind never does.
            what = f"kolm: the upstream cannot be reached ({type(error).__name__})"
            await _refuse(send, 502, what)
            return
        answered = _Tee()
        whole = await self._pass_back(response, receive, send, answered)
        if api and whole and response.is_success:
            self.counts.recordable += 1
            if max(asked.size, answered.size) > MAX_RECORDED:
                self.counts.too_long += 1
                return
            self._record(
                Call(
                    key=uuid.uuid4().hex,
                    namespace=self._namespace,
                    time=time.time_ns() // 1_000_000,
                    path=path.decode("latin-1"),
                    request_encoding=_header(scope["headers"], b"content-encoding"),
                    response_encoding=response.headers.get("content-encoding", ""),
                    response_type=response.headers.get("content-type", ""),
                    request=b"".join(asked.pieces),
                    response=b"".join(answered.pieces),
                )
            )

    async def _pass_back(
        self, response: httpx.Response, receive: Receive, send: Send, answered: _Tee
    ) -> bool:
        """Stream the response to the client; whether it saw the end."""
        watcher = _watch(receive)
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": response.status_code,
                    "headers": [
                        (name, value)
                        for name, value in response.headers.raw
                        if name.lower() not in _HOP
                    ],
                }
            )
            async for piece in response.aiter_raw():
                if watcher.done():
                    break  # The client is gone; nobody pays for the rest.
                answered.add(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            if watcher.done():
                return _all_that_was_waited_for(response, answered)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except httpx.HTTPError:
            if watcher.done() and _all_that_was_waited_for(response, answered):
                return True
            # The upstream broke off. Raising ends the client's connection without the end of
            # the body, so that it sees the same.
            self.counts.failed += 1
            raise
        finally:
            watcher.cancel()
            await response.aclose()
        return True

    def _target(self, path: bytes, query: bytes) -> httpx.URL:
        # With an upstream of .../v1, a client's base URL may end in /v1 or not.
        last = self._prefix.rpartition(b"/")[2]
        if last and path.startswith(b"/" + last + b"/"):
            path = path[len(last) + 1 :]
        raw = self._prefix + path
        return self._upstream.copy_with(raw_path=raw + b"?" + query if query else raw)


def _all_that_was_waited_for(response: httpx.Response, answered: _Tee) -> bool:
    """Whether the client had its answer when it left: many go before the connection's end."""
    length = response.headers.get("content-length")
    if length is not None:
        return bool(length == str(answered.size))
    return _LAST_EVENT.search(b"".join(answered.pieces)) is not None


def _watch(receive: Receive) -> asyncio.Task[None]:
    async def until_gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    return asyncio.create_task(until_gone())


async def _body(receive: Receive, tee: _Tee, ending: Callable[[], bool]) -> AsyncIterator[bytes]:
    """The request's body as it arrives."""
    while True:
        message = await next_message(receive, ending)
        if message["type"] == "http.disconnect":
            raise httpx.ReadError("the client went away")
        piece = message.get("body", b"")
        if piece:
            tee.add(piece)
            yield piece
        if not message.get("more_body", False):
            return


def _has_body(headers: Headers) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in headers
    )


def _header(headers: Headers, wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in headers if name == wanted), "")


def _forwarded(headers: Headers, *, recorded: bool) -> Headers:
    """The client's headers, less those of the connection."""
    named = _header(headers, b"connection").lower().encode("latin-1").split(b",")
    dropped = _HOP | {name.strip() for name in named}
    result = []
    for name, value in headers:
        if name in dropped:
            continue
        if recorded and name == b"accept-encoding":
            # Of the encodings that the client takes, those that can be undone to record.
            offered = [part.strip() for part in value.decode("latin-1").split(",")]
            kept = [part for part in offered if part.partition(";")[0] in DECODABLE]
            value = ", ".join(kept or ["identity"]).encode("latin-1")
        result.append((name, value))
    return result


async def _refuse(send: Send, status: int, text: str) -> None:
    body = json.dumps({"error": {"message": text, "type": "kolm_proxy"}}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        # What follows on the connection may be the rest of this request.
        (b"connection", b"close"),
    ]
    with contextlib.suppress(OSError):
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
