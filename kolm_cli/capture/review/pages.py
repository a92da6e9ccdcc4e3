"""The review page: a small web application on loopback, for one reviewer."""

from __future__ import annotations

import asyncio
import functools
import json
import re
import threading
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kolm_cli.capture import pair_queries
from kolm_cli.capture.pairs import REVIEW_STATES
from kolm_cli.capture.review.decide import decide
from kolm_cli.capture.store import Store
from kolm_cli.capture.web_pages import names_this_machine, of_another_site
from kolm_cli.core.errors import InputError
from kolm_cli.records.pictures import ImageError, decode_rgb, encode_png

PAGE = 20
# What a screen shows; larger images are scaled down to be sent.
_MOST_PIXELS = 2000
_MAX_BODY = 4 * 1024 * 1024
_BODY_SECONDS = 5.0
_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
_HEADERS = {
    # Captured text and images come from anywhere: nothing of them may run or be sent away.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; "
    "base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class ReviewPages:
    """Serves one namespace.

    Args:
        store: the store; used by one request at a time.
        namespace: what is reviewed.
        reviewer: who reviews.
        token: part of every path, so that other programs' pages cannot guess it.
    """

    def __init__(self, store: Store, namespace: str, reviewer: str, token: str) -> None:
        self._store = store
        self._namespace = namespace
        self._number = pair_queries.namespace_id(store.connection, namespace)
        self._reviewer = reviewer
        self._token = token
        self._lock = threading.Lock()

    def app(self) -> Starlette:
        """The application."""
        base = f"/{self._token}"
        return Starlette(
            routes=[
                Route(f"{base}/", self._guard(functools.partial(_static, "page.html"))),
                Route(f"{base}/page.js", self._guard(functools.partial(_static, "page.js"))),
                Route(f"{base}/page.css", self._guard(functools.partial(_static, "page.css"))),
                Route(f"{base}/pairs", self._guard(self._pairs)),
                Route(f"{base}/image/{{name}}", self._guard(self._image)),
                Route(f"{base}/review", self._guard(self._review, limit=True), methods=["POST"]),
            ]
        )

    def _guard(self, answer: Callable[..., Response], *, limit: bool = False) -> Any:
        """Check the host, run on a thread, one request at a time, and add the headers."""

        async def endpoint(request: Request) -> Response:
            # Another name that resolves to this machine is how web pages get in.
            if not all(map(names_this_machine, request.headers.getlist("host"))):
                return Response("wrong host", 403)
            if of_another_site(request.headers.raw):
                return Response("wrong site", 403)
            body = b""
            if limit:
                if request.headers.get("content-type") != "application/json":
                    return Response("wants JSON", 415)
                try:
                    body = await asyncio.wait_for(_body_of(request), _BODY_SECONDS)
                except TimeoutError:
                    return Response("too slow", 408)
                if len(body) > _MAX_BODY:
                    return Response("too large", 413)
            response = await run_in_threadpool(self._locked, answer, request, body)
            response.headers.update(_HEADERS)
            return response

        return endpoint

    def _locked(
        self, answer: Callable[[Request, bytes], Response], request: Request, body: bytes
    ) -> Response:
        with self._lock:
            return answer(request, body)

    def _pairs(self, request: Request, _: bytes) -> Response:
        """The next pairs of a state after a number, and how many there are of each state."""
        state = request.query_params.get("state", "pending")
        after = request.query_params.get("after", "0")
        if state not in REVIEW_STATES or not re.fullmatch(r"\d{1,18}", after):
            return JSONResponse({"error": "no such state or number"}, 400)
        ask = self._store.connection.execute
        rows = ask(
            "SELECT id FROM pairs WHERE namespace = ? AND review = ? AND id > ? "
            "ORDER BY id LIMIT ?",
            (self._number, REVIEW_STATES.index(state), int(after), PAGE),
        ).fetchall()
        counts = dict(
            ask(
                "SELECT review, count(*) FROM pairs INDEXED BY pairs_in_brief "
                "WHERE namespace = ? GROUP BY review",
                (self._number,),
            ).fetchall()
        )
        return JSONResponse(
            {
                "namespace": self._namespace,
                "pairs": [self._store.pair(number).as_json() for (number,) in rows],
                "counts": {name: counts.get(i, 0) for i, name in enumerate(REVIEW_STATES)},
            }
        )

    def _image(self, request: Request, _: bytes) -> Response:
        """An image as training sees it: decoded here, so that the browser gets pixels only."""
        name = request.path_params["name"]
        shown = (
            re.fullmatch(r"[0-9a-f]{64}", name)
            and self._store.connection.execute(
                "SELECT 1 FROM images JOIN pair_images ON image = images.id "
                "JOIN pairs ON pairs.id = pair WHERE sha256 = ? AND namespace = ?",
                (bytes.fromhex(name), self._number),
            ).fetchone()
        )
        if not shown:
            return Response("no such image", 404)
        try:
            image = decode_rgb(self._store.image_path(name).read_bytes())
        except (ImageError, OSError) as error:
            return Response(f"cannot be shown: {error}", 404)
        image.thumbnail((_MOST_PIXELS, _MOST_PIXELS))
        return Response(encode_png(image), media_type="image/png")

    def _review(self, _: Request, body: bytes) -> Response:
        """One decision."""
        try:
            wish = json.loads(body)
            number, digest, state = wish["id"], wish["digest"], wish["state"]
            response = wish.get("response")
        except (ValueError, KeyError, TypeError, RecursionError):
            return JSONResponse({"error": "not a decision"}, 400)
        known = next((name for name in REVIEW_STATES if name == state), None)
        if known is None or not _is_decision(number, digest, response):
            return JSONResponse({"error": "not a decision"}, 400)
        try:
            if self._store.pair(number).namespace != self._namespace:
                return JSONResponse({"error": "a pair of another namespace"}, 403)
            pair = decide(self._store, number, digest, known, self._reviewer, response)
        except InputError as error:
            return JSONResponse({"error": str(error)}, 409)
        return JSONResponse(pair.as_json())


async def _body_of(request: Request) -> bytes:
    """The body, cut off soon after it is too long."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _MAX_BODY:
            break
    return body


def _is_decision(number: object, digest: object, response: object) -> bool:
    """Whether these can be what they should, and a database takes them."""
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 2**63:
        return False
    if not isinstance(digest, str) or not isinstance(response, str | None):
        return False
    try:
        (response or "").encode()
    except UnicodeEncodeError:
        return False
    return True


def _static(name: str, _: Request, __: bytes) -> Response:
    data = files("kolm_cli.capture.review").joinpath(name).read_bytes()
    return Response(data, media_type=_TYPES[name.rpartition(".")[2]])
