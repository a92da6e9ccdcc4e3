"""Serving the review page on loopback until the reviewer stops it."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Callable

import uvicorn

from kolm_cli.capture.http_limits import HeadersInTime
from kolm_cli.capture.review.pages import ReviewPages
from kolm_cli.capture.store import Store
from kolm_cli.core.listening import listening

# A decision takes no time; a request that is longer under way is stuck.
_GRACE_SECONDS = 10


def serve(
    store: Store, namespace: str, reviewer: str, port: int, ready: Callable[[str], None]
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        store: the store.
        namespace: what is reviewed.
        reviewer: who is recorded as having decided.
        port: the port; 0 for any that is free.
        ready: told the page's address, with the secret in it.

    Raises:
        InputError: there is no such namespace.
        LackingError: the port is taken.
    """
    token = secrets.token_urlsafe(18)
    pages = ReviewPages(store, namespace, reviewer, token)
    listener = listening("127.0.0.1", port, 128)
    try:
        config = uvicorn.Config(
            pages.app(),
            log_config=None,
            access_log=False,
            lifespan="off",
            http=HeadersInTime,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        ready(f"http://127.0.0.1:{listener.getsockname()[1]}/{token}/")
        # uvicorn raises the signal that stopped it once more when it is done.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        listener.close()
