"""How long to go on with a registry that fails or hardly answers."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from kolm_cli.core.errors import LackingError, Problem

# Attempts that may fail one after the other before giving up, and seconds before the second one.
ATTEMPTS = 6
PAUSE = 0.2
# Seconds in which so many bytes must come, so that a registry that drips is not waited for.
SECONDS = 120.0
STEP = 1 << 16
# Bytes a second of the slowest uplink that a request with a body is given time for.
SLOWEST = 1 << 14


class InterruptedTransferError(LackingError):
    """The network or the registry failed in a way that another attempt may mend."""


class Patience:
    """Counts failures without progress in between, waits longer after each, and has an end.

    Progress is `STEP` bytes beyond the furthest place that was ever reached: beginning anew, or
    another few bytes, is none.

    Args:
        timed: give up, too, when `SECONDS` pass without progress.
    """

    def __init__(self, *, timed: bool = True) -> None:
        self._failures = 0
        self._furthest = 0
        self._timed = timed
        self._since = time.monotonic()

    def reached(self, position: int) -> None:
        """Note how far a transfer is.

        Raises:
            LackingError: too little came in too long.
        """
        if position >= self._furthest + STEP:
            self._furthest, self._failures = position, 0
            self._since = time.monotonic()
        elif self._over():
            raise LackingError(
                Problem(f"less than {STEP} bytes came in {SECONDS:g} s"),
                hint="the same command again continues",
            )

    def failed(self, error: InterruptedTransferError) -> None:
        """Wait, or raise the error when it was the last attempt."""
        self._failures += 1
        if self._failures >= ATTEMPTS or self._over():
            raise error
        time.sleep(PAUSE * 2 ** (self._failures - 1))

    def _over(self) -> bool:
        return self._timed and time.monotonic() - self._since > SECONDS


class Watchdog:
    """Cuts connections that take too long as a whole; the library bounds each read alone."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self.barked = False

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Learn of connections: what httpcore calls a trace function."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            found = info["return_value"].get_extra_info("socket")
            if found is not None:
                self._sockets = [*(s for s in self._sockets if s.fileno() >= 0), found]

    @contextlib.contextmanager
    def limit(self, seconds: float) -> Iterator[threading.Timer]:
        """Cut every connection when the block lasts longer, unless the timer is cancelled."""
        self.barked = False
        timer = threading.Timer(seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield timer
        finally:
            timer.cancel()

    def _cut(self) -> None:
        self.barked = True
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                # Not the TLS layer's own method, which would pull it away under a reading thread.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
