"""Ctrl-C and SIGTERM while a worker runs: the first asks it to stop, a later one ends it."""

from __future__ import annotations

import signal
import time
from types import FrameType
from typing import Any

# A double press of Ctrl-C is one wish.
SAME_WISH_SECONDS = 1.0


class StopSignals:
    """Counts SIGINT and SIGTERM while the block lasts, instead of dying of them.

    Attributes:
        received: the number of the first signal, 0 before any.
        at_once: whether a later one asked to end without waiting for a checkpoint.
    """

    def __init__(self) -> None:
        self.received = 0
        self.at_once = False
        self._first = 0.0
        self._before: dict[int, Any] = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.received:
            self.received, self._first = number, now
        elif now - self._first > SAME_WISH_SECONDS:
            self.at_once = True

    def __enter__(self) -> StopSignals:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
