"""The application: admits requests, reads them, and has the one that they ask answer."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from kolm_cli.capture.http_limits import StalledError, next_message
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import KolmError
from kolm_cli.core.versions import own_version
from kolm_cli.encoding.encoded import RowError
from kolm_cli.serving.access import Access
from kolm_cli.serving.chat import Chat, Served
from kolm_cli.serving.requests import MAX_BODY, read_request

_KINDS = {401: "authentication_error", 403: "permission_error", 404: "not_found_error"}


def error(status: int, text: str) -> JSONResponse:
    """An error as the API words it."""
    kind = _KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    body = {"error": {"message": text, "type": kind, "param": None, "code": None}}
    return JSONResponse(
        body, status, headers={"WWW-Authenticate": "Bearer"} if status == 401 else {}
    )


class Application:
    """The routes.

    Args:
        served: by every name that may be asked, CIDs among them.
        chat: has them answer.
        access: decides who may ask.
    """

    def __init__(self, served: Mapping[str, Served], chat: Chat, access: Access) -> None:
        self._served, self._chat, self._access = served, chat, access
        self.ending = False

    def app(self) -> ASGIApp:
        """As uvicorn takes it."""
        routes = [
            Route("/v1/chat/completions", self._complete, methods=["POST"]),
            Route("/v1/models", self._models, methods=["GET"]),
            Route("/health", self._health, methods=["GET"]),
            Route("/version", self._version, methods=["GET"]),
        ]
        inner = Starlette(routes=routes, exception_handlers={HTTPException: _refused})

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and (refusal := self._access.refusal(scope["headers"])):
                answer = error(*refusal)
                # What follows on the connection may be the rest of this request.
                answer.headers["connection"] = "close"
                await answer(scope, receive, send)
            else:
                await inner(scope, receive, send)

        return guarded

    async def _health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _version(self, request: Request) -> Response:
        return JSONResponse({"server": "kolm serve", "version": own_version})

    async def _models(self, request: Request) -> Response:
        names = dict.fromkeys(served.name for served in self._served.values())
        data = [{"id": n, "object": "model", "created": 0, "owned_by": "kolm"} for n in names]
        return JSONResponse({"object": "list", "data": data})

    async def _complete(self, request: Request) -> Response:
        try:
            body = canonical_json.loads(await self._body(request), max_bytes=MAX_BODY)
            model = body.get("model") if isinstance(body, dict) else None
            if isinstance(model, str) and model and model not in self._served:
                # Said first: what else is wrong may be right for the model that was meant.
                known = ", ".join(dict.fromkeys(s.name for s in self._served.values()))
                return error(404, f"there is no {model[:200]!r} here; ask one of: {known}")
            asked = read_request(body)
            served = self._served[asked.model]
            prepared = await run_in_threadpool(self._chat.prepare, served, asked)
        except KolmError as refused:
            said = "; ".join(f"{p.what}{p.fix and f' ({p.fix})'}" for p in refused.problems)
            return error(400, said)
        except (RowError, ValueError) as refused:
            return error(400, str(refused))
        try:
            answer: Response = await self._chat.handle_request(prepared, f"chatcmpl-{uuid4().hex}")
        except Exception as fault:
            logging.getLogger(__name__).exception("a request failed")
            return error(500, f"unexpected {type(fault).__name__}: {fault}"[:500])
        return answer

    async def _body(self, request: Request) -> bytes:
        """The body, as long as it may be.

        Raises:
            HTTPException: it is longer, or does not go on.
        """
        pieces, size = [], 0
        while True:
            try:
                message = await next_message(request.receive, lambda: self.ending)
            except StalledError:
                raise HTTPException(408, "the request's body did not go on") from None
            if message["type"] == "http.disconnect":
                raise HTTPException(400, "the client went away")
            size += len(message.get("body", b""))
            if size > MAX_BODY:
                raise HTTPException(413, f"more than the {MAX_BODY} bytes allowed")
            pieces.append(message.get("body", b""))
            if not message.get("more_body", False):
                return b"".join(pieces)


async def _refused(request: Request, exception: Any) -> Response:
    return error(exception.status_code, json.dumps(exception.detail).strip('"'))
