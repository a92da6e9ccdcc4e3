"""Running the endpoint: load, listen, serve, and end at once."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

import uvicorn

from kolm_cli.capture.http_limits import HeadersInTime, allow_many_connections
from kolm_cli.core.listening import listening
from kolm_cli.serving.access import Access
from kolm_cli.serving.app import Application
from kolm_cli.serving.chat import Chat, Served
from kolm_cli.serving.requests import MAX_IN_FLIGHT
from kolm_cli.serving.shelf import Shelf

# A step of generation, or the reading of a long prompt, cannot be cut short.
_LAST_STEP_SECONDS = 20.0


@dataclass(frozen=True)
class Place:
    """Where to listen.

    Attributes:
        host: the address to bind to.
        port: the port; 0 for any that is free.
    """

    host: str
    port: int


def listen(place: Place) -> socket.socket:
    """A socket that listens there.

    Raises:
        LackingError: the port is taken, or the address is not this machine's.
    """
    return listening(place.host, place.port, 64)


def address_of(listener: socket.socket) -> str:
    """The base URL of a listening socket, as clients take it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"


def serve(
    served: Mapping[str, Served],
    shelf: Shelf,
    access: Access,
    listener: socket.socket,
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        served: by every name that may be asked.
        shelf: their base and adapters.
        access: decides who may ask.
        listener: a listening socket.

    Raises:
        KeyboardInterrupt: always: there is no other end.
    """
    ending = threading.Event()
    application = Application(served, Chat(shelf, ending), access)
    # The handler tells of every request.
    logging.getLogger("transformers.cli.serving").setLevel(logging.ERROR)
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    server = uvicorn.Server(
        uvicorn.Config(
            application.app(),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            limit_concurrency=MAX_IN_FLIGHT,
            timeout_graceful_shutdown=1,
            http=HeadersInTime,
        )
    )
    stop: Any = server.handle_exit

    def end(number: int, frame: FrameType | None) -> None:
        application.ending = True
        ending.set()
        stop(number, frame)

    setattr(server, "handle_exit", end)  # noqa: B010 - uvicorn has no other hook
    allow_many_connections()
    before = {
        # uvicorn raises the signal that stopped it once more when it is done.
        number: signal.signal(number, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        server.run(sockets=[listener])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    # The interpreter must not end under a thread that computes.
    shelf.wait(_LAST_STEP_SECONDS)
    raise KeyboardInterrupt
