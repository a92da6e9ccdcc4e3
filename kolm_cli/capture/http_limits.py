"""What a connection may cost the servers of `kolm capture`: seconds for its headers, and a place.

Nobody has to be known to open a connection, so one that never finishes asking must not take a
place from those that do.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import Message
from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEADER_SECONDS = 10.0
# Connections whose headers are not there yet; of more, the oldest is closed.
MOST_WAITING = 200
# A request's body may pause so long, and take so long to end once the server is to stop.
BODY_IDLE_SECONDS = 60.0
BODY_GRACE_SECONDS = 3.0
# Answers that are under way may take so long once the server is to stop.
ANSWER_GRACE_SECONDS = 300

_Base: Any = AutoHTTPProtocol


class HeadersInTime(_Base):  # type: ignore[misc]
    """uvicorn's protocol, with a limit on how long a request's headers may take."""

    _waiting: dict[HeadersInTime, None] = {}  # noqa: RUF012 - the connections of this process
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request's headers."""
        super().connection_made(transport)
        self._await_headers()

    def data_received(self, data: bytes) -> None:
        """Take what came; the first bytes of a further request begin the wait anew."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._timer is None and not self.transport.is_closing():
            self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _await_headers(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(HEADER_SECONDS, self._give_up)
        self._waiting[self] = None
        if len(self._waiting) > MOST_WAITING:
            next(iter(self._waiting))._give_up()

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting.pop(self, None)

    def _give_up(self) -> None:
        self._stop_waiting()
        self.transport.abort()


class StalledError(Exception):
    """A request's body did not go on."""


async def next_message(
    receive: Callable[[], Awaitable[Message]], ending: Callable[[], bool]
) -> Message:
    """The next part of a request's body.

    Raises:
        StalledError: it paused too long, or did not come while the server was to end.
    """
    loop = asyncio.get_running_loop()
    idle = loop.time() + BODY_IDLE_SECONDS
    grace = float("inf")
    waiting = asyncio.ensure_future(receive())
    try:
        while not (await asyncio.wait({waiting}, timeout=0.5))[0]:
            if ending():
                grace = min(grace, loop.time() + BODY_GRACE_SECONDS)
            if loop.time() > min(idle, grace):
                raise StalledError
    finally:
        if not waiting.done():
            waiting.cancel()
    return waiting.result()


def allow_many_connections() -> None:
    """Raise this process's number of open files to what the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
