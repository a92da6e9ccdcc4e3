"""Running the proxy: listen, serve, report, and drain at the end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from kolm_cli.capture.http_limits import (
    ANSWER_GRACE_SECONDS,
    HeadersInTime,
    allow_many_connections,
)
from kolm_cli.capture.proxy.access import Access
from kolm_cli.capture.proxy.app import Proxy
from kolm_cli.capture.proxy.recording import Recording
from kolm_cli.capture.split import check_namespace
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.listening import listening

REPORT_SECONDS = 0.5


@dataclass(frozen=True)
class Settings:
    """What the command line says.

    Attributes:
        namespace: where pairs go.
        upstream: the API's base URL.
        host: the address to bind to.
        port: the port; 0 for any that is free.
        token: what clients must show; see `Access`.
        image_hosts: hosts from which images may be fetched.
        origins: origins whose web pages may use the proxy.
        home: where the store and the spool are.
    """

    namespace: str
    upstream: str
    host: str
    port: int
    token: str
    image_hosts: tuple[str, ...]
    home: Path
    origins: tuple[str, ...] = ()


Report = Callable[[dict[str, Any]], None]


def run(settings: Settings, report: Report) -> None:
    """Serve until SIGINT or SIGTERM; calls in flight are finished and recorded first.

    Args:
        settings: see there.
        report: told what happens: `event` is `listening`, `progress` or `stopped`.

    Raises:
        InputError: a namespace, an upstream or an address that is none.
        LackingError: the port is taken, or the store cannot be opened.
    """
    check_namespace(settings.namespace)
    _check_upstream(settings.upstream)
    access = Access(settings.host, settings.token, settings.origins)
    listener = _listen(settings)
    try:
        asyncio.run(_serve(settings, access, listener, report))
    finally:
        listener.close()


def _check_upstream(text: str) -> None:
    try:
        url = httpx.URL(text)
        # httpx takes any port, and brackets without an address in them.
        fits = url.scheme in ("http", "https") and url.host and urlsplit(text).port != 0
    except (httpx.InvalidURL, ValueError):
        fits = False
    if not fits:
        raise InputError(
            Problem(f"{text!r} is not a URL", "--upstream", "write https://api.openai.com/v1")
        )


def _listen(settings: Settings) -> socket.socket:
    return listening(settings.host, settings.port, 1024)


async def _serve(
    settings: Settings, access: Access, listener: socket.socket, report: Report
) -> None:
    recording = Recording(settings.home, settings.image_hosts)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=200)
    # An answer may take minutes; only connecting must be quick.
    timeout = httpx.Timeout(None, connect=30.0)
    client = httpx.AsyncClient(
        limits=limits, timeout=timeout, follow_redirects=False, trust_env=False
    )
    proxy = Proxy(settings.upstream, settings.namespace, access, recording.take, client)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await recording.start()
        yield

    app = Starlette(routes=[Mount("/", app=proxy)], lifespan=lifespan)
    # A connection that broke is counted, and not told as a traceback across the live screen.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            # The upstream's own headers pass; none are added.
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=ANSWER_GRACE_SECONDS,
            http=HeadersInTime,
        )
    )
    proxy.ending = lambda: server.should_exit
    allow_many_connections()
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    report({"event": "listening", "url": f"http://{shown}:{port}", "namespace": settings.namespace})
    reporter = asyncio.create_task(_report(proxy, recording, report))
    # uvicorn raises the signal that stopped it once more when it is done.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    try:
        await server.serve(sockets=[listener])
    finally:
        await client.aclose()
        await recording.close()
        reporter.cancel()
        report({"event": "stopped", **figures(proxy, recording)})


async def _report(proxy: Proxy, recording: Recording, report: Report) -> None:
    before: dict[str, Any] = {}
    calls = proxy.counts.calls
    while True:
        await asyncio.sleep(REPORT_SECONDS)
        now = figures(proxy, recording)
        rate = (proxy.counts.calls - calls) / REPORT_SECONDS
        calls = proxy.counts.calls
        if now != before or rate:
            report({"event": "progress", **now, "rate": rate})
        before = now


def figures(proxy: Proxy, recording: Recording) -> dict[str, Any]:
    """What is known of the traffic and of the recording."""
    stored = recording.stored
    return {
        "calls": proxy.counts.calls,
        "recordable": proxy.counts.recordable,
        "recorded": stored.get("calls", 0),
        "pairs": stored.get("pairs", 0),
        "new_pairs": stored.get("new", 0),
        "without_pair": stored.get("without_pair", 0),
        "reasons": stored.get("reasons", {}),
        "not_recorded": recording.lost + proxy.counts.too_long,
        "set_aside": stored.get("set_aside", 0),
        "faults": recording.restarts,
        "upstream_failed": proxy.counts.failed,
        "in_flight": proxy.counts.in_flight,
        "trouble": recording.trouble,
        "last": stored.get("last", {}),
    }
