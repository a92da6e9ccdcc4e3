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
import sqlite3
import sys
import time
from collections import Counter
from pathlib import Path

from kolm_cli.capture.pair_writes import transaction
from kolm_cli.capture.pairs import Added, NewPair
from kolm_cli.capture.proxy.calls import CallReader
from kolm_cli.capture.proxy.fetch import Fetcher
from kolm_cli.capture.proxy.spool import Call, SpoolReader, remove, take
from kolm_cli.capture.store import Store
from kolm_cli.core.errors import KolmError

_BATCH = 50
_BATCH_BYTES = 16 * 1024 * 1024
_IDLE_SECONDS = 0.05
_RETRY_SECONDS = 1.0
_MOST_REASONS = 50


class Recorder:
    """Stores the calls of one spool."""

    def __init__(self, store: Store, spool: Path, reader: CallReader) -> None:
        self._store = store
        self._spool = SpoolReader(spool)
        self._reader = reader
        self._waiting: list[Call] = []
        self.report = {"calls": 0, "pairs": 0, "new": 0, "without_pair": 0, "faults": 0}
        # Why calls have no pair, and how many each reason kept from having one.
        self.reasons: Counter[str] = Counter()
        self.last: dict[str, object] = {}
        self.trouble = ""

    def step(self) -> bool:
        """Store the next calls; False when there were none, or they could not be stored."""
        # What could not be stored is tried again before anything newer.
        self._waiting = self._waiting or self._spool.read(_BATCH, _BATCH_BYTES)
        if not self._waiting:
            return False
        try:
            self._record(self._waiting)
        except (OSError, sqlite3.OperationalError) as error:
            self.trouble = f"cannot record: {error}"
            return False
        self.trouble = ""
        self._waiting = []
        return True

    def _record(self, calls: list[Call]) -> None:
        read = [self._reader.read(call) for call in calls]
        for namespace in dict.fromkeys(call.namespace for call in calls):
            mine = [
                (call, pair, note)
                for call, (pair, note) in zip(calls, read, strict=True)
                if call.namespace == namespace
            ]
            added = self._add(namespace, [pair for _, pair, _ in mine if pair is not None])
            self._note_calls(namespace, mine, iter(added))

    def _add(self, namespace: str, pairs: list[NewPair]) -> list[Added | None]:
        if not pairs:
            return []
        try:
            return [*self._store.add_batch(namespace, pairs)]
        except KolmError:
            # One of them is at fault: the others must not suffer from it.
            return [self._add_one(namespace, pair) for pair in pairs]

    def _add_one(self, namespace: str, pair: NewPair) -> Added | None:
        try:
            return self._store.add_batch(namespace, [pair])[0]
        except KolmError as error:
            self.report["faults"] += 1
            self.last = {"fault": str(error)[:300]}
            return None

    def _note_calls(
        self,
        namespace: str,
        calls: list[tuple[Call, NewPair | None, str]],
        added: object,
    ) -> None:
        assert hasattr(added, "__next__")  # noqa: S101 - for the type checker
        connection = self._store.connection
        with transaction(connection):
            connection.execute("INSERT OR IGNORE INTO namespaces(name) VALUES (?)", (namespace,))
            (space,) = connection.execute(
                "SELECT id FROM namespaces WHERE name = ?", (namespace,)
            ).fetchone()
            for call, pair, note in calls:
                stored: Added | None = next(added) if pair is not None else None
                model = pair.model if pair is not None else ""
                if pair is not None and stored is None:
                    note = "its pair could not be stored"
                fresh = connection.execute(
                    "INSERT OR IGNORE INTO calls(key, namespace, time, path, model, pair, note) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        call.key,
                        space,
                        call.time,
                        call.path,
                        model,
                        stored.id if stored else None,
                        note,
                    ),
                ).rowcount
                if fresh:
                    self._count(call, pair, stored, note)

    def _count(self, call: Call, pair: NewPair | None, stored: Added | None, note: str) -> None:
        self.report["calls"] += 1
        if stored is None or pair is None:
            self.report["without_pair"] += 1
            # Reasons may hold a name or an address; their number stays bounded.
            known = note in self.reasons or len(self.reasons) < _MOST_REASONS
            self.reasons[note if known else "other reasons"] += 1
            self.last = {"path": call.path, "no_pair": note}
            return
        self.report["pairs"] += 1
        self.report["new"] += stored.new
        self.last = {
            "id": stored.id,
            "model": pair.model,
            "images": len(pair.conversation.images),
            "prompt": pair.conversation.messages[-2].text[:80],
            "response": pair.conversation.response[:80],
        }

    def forget(self, *, ended: bool) -> None:
        """Delete what is stored from the spool."""
        if not self._waiting:
            self._spool.forget(ended=ended)

    def say(self) -> None:
        """Report to the proxy, which may be gone."""
        line = json.dumps(
            {
                **self.report,
                "reasons": self.reasons,
                "last": self.last,
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
            found += recorder.report["calls"]
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
