"""The process that records: reads the spool, stores pairs and calls, reports on stdout.

It ends when standard input closes, which happens however the proxy ends; what is in the spool
by then is stored first.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from pathlib import Path

from kolm_cli.capture.proxy.call_store import NOT_NOW, CallStore
from kolm_cli.capture.proxy.calls import CallReader
from kolm_cli.capture.proxy.fetch import Fetcher
from kolm_cli.capture.proxy.spool import Call, SpoolReader, remove, take
from kolm_cli.capture.proxy.suspects import Suspects
from kolm_cli.capture.store import Store

_BATCH = 50
_BATCH_BYTES = 16 * 1024 * 1024
_IDLE_SECONDS = 0.05
_RETRY_SECONDS = 1.0


class Recorder:
    """Stores the calls of one spool.

    Attributes:
        calls: what stores them, with figures.
        trouble: why nothing can be stored now; empty when it can.
    """

    def __init__(self, store: Store, spool: Path, reader: CallReader) -> None:
        self._spool = SpoolReader(spool)
        self._waiting: list[Call] = []
        self._suspects = Suspects(spool)
        self.calls = CallStore(store, reader)
        self.trouble = ""

    def step(self) -> bool:
        """Store the next calls; False when there were none, or they could not be stored."""
        # What could not be stored is tried again before anything newer.
        most = 1 if self._suspects.left else _BATCH
        self._waiting = self._waiting or self._spool.read(most, _BATCH_BYTES)
        if self._spool.damaged:
            self.calls.note_damaged(self._spool.damaged)
            self._spool.damaged = 0
        if not self._waiting:
            if self._suspects.left:
                self._suspects.clear()
            return False
        try:
            fatal = self._suspects.fatal(self._waiting)
            if fatal is not None:
                self.calls.set_aside(fatal, "the recorder ended each time that it read this call")
            else:
                self._suspects.begin(self._waiting)
                self.calls.record(self._waiting)
            self._suspects.done(self._waiting)
        except NOT_NOW as error:
            self.trouble = f"cannot record: {error}"
            return False
        self.trouble = ""
        self._waiting = []
        return True

    def forget(self, *, ended: bool) -> None:
        """Delete what is stored from the spool."""
        if not self._waiting:
            self._spool.forget(ended=ended)

    def say(self) -> None:
        """Report to the proxy, which may be gone."""
        line = json.dumps(
            {
                **self.calls.report,
                "reasons": self.calls.reasons,
                "last": self.calls.last,
                "trouble": self.trouble,
            }
        )
        with contextlib.suppress(OSError):
            os.write(1, line.encode() + b"\n")


def recover(store: Store, reader: CallReader, but: Path | None = None) -> int:
    """Store what proxies that were killed left in their spools; gives the number of calls."""
    found = 0
    for folder in sorted((store.home / "spool").glob("*")):
        if folder == but or not folder.is_dir():
            continue
        lock = take(folder)
        if lock is None:
            continue  # Its own recorder is at work.
        try:
            recorder = Recorder(store, folder, reader)
            while recorder.step():
                pass
            found += recorder.calls.report["calls"]
            if not recorder.trouble:
                recorder.forget(ended=True)
                remove(folder)
        finally:
            os.close(lock)
    return found


def _parent_gone(seconds: float) -> bool:
    """Whether standard input has closed; waits for at most `seconds`."""
    ready, _, _ = select.select([0], [], [], seconds)
    return bool(ready) and not os.read(0, 65536)


def main(home: str, spool: str, *hosts: str) -> None:
    """Record until standard input closes."""
    # Ctrl-C reaches the whole group; the proxy decides when it is time.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(5)
    folder = Path(spool)
    lock = take(folder)
    reader = CallReader(Fetcher(hosts))
    with Store.open(Path(home)) as store:
        recover(store, reader, but=folder)
        recorder = Recorder(store, folder, reader)
        ended = False
        said = 0.0
        tries = 0
        while True:
            worked = recorder.step()
            if worked:
                recorder.forget(ended=False)
            if worked or recorder.trouble or time.monotonic() - said > 1:
                recorder.say()
                said = time.monotonic()
            if worked:
                tries = 0
                continue
            if ended and (not recorder.trouble or tries >= 3):
                break
            tries += ended
            wait = _RETRY_SECONDS if recorder.trouble else _IDLE_SECONDS
            if ended:
                time.sleep(wait if recorder.trouble else 0)
            else:
                # Once more after the end, for what was written just before it.
                ended = _parent_gone(wait)
        if not recorder.trouble:
            recorder.forget(ended=True)
            remove(folder)
        recorder.say()
    if lock is not None:
        os.close(lock)


if __name__ == "__main__":
    main(*sys.argv[1:])
