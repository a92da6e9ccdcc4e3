"""Calls become pairs in the store. A call at fault is set aside and stops no other."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence

from kolm_cli.capture.pair_writes import transaction
from kolm_cli.capture.pairs import Added, NewPair
from kolm_cli.capture.proxy.calls import CallReader, UnreadableError
from kolm_cli.capture.proxy.set_aside import SetAside
from kolm_cli.capture.proxy.spool import Call
from kolm_cli.capture.store import Store

# The machine's fault, not the call's: tried again until it passes.
NOT_NOW = (OSError, sqlite3.OperationalError)
_MOST_REASONS = 50
DAMAGED = "damaged in the spool, on the disk"
_LONGEST_REASON = 500

# A call, its pair or None, and why there is none.
_Read = tuple[Call, NewPair | None, str]


class CallStore:
    """Stores calls and their pairs, and counts what became of them.

    Attributes:
        report: figures since this began; `set_aside` are among `without_pair`.
        reasons: why calls have no pair, and how many each reason kept from having one.
        last: what is known of the last call.
    """

    def __init__(self, store: Store, reader: CallReader) -> None:
        self._store = store
        self._reader = reader
        self.aside = SetAside(store.home)
        self.report = {"calls": 0, "pairs": 0, "new": 0, "without_pair": 0, "set_aside": 0}
        self.reasons: Counter[str] = Counter()
        self.last: dict[str, object] = {}

    def record(self, calls: Sequence[Call]) -> None:
        """Store calls; whatever is wrong with one is that one's.

        Raises:
            OSError, sqlite3.OperationalError: nothing can be stored now. Recording the same
                calls again stores none of them twice.
        """
        try:
            self._store_calls(calls)
        except NOT_NOW:
            raise
        except Exception as error:
            if len(calls) == 1:
                self.set_aside(calls[0], _said(error))
                return
            for call in calls:
                self.record([call])

    def retry(self) -> int:
        """Try every call that is set aside again; gives how many have a pair now.

        One that still cannot be read stays set aside, with the reason of this time.
        """
        before = self.report["pairs"]
        for kept in self.aside:
            with transaction(self._store.connection):
                self._store.connection.execute(
                    "DELETE FROM calls WHERE key = ? AND pair IS NULL", (kept.call.key,)
                )
            failed = self.report["set_aside"]
            self.record([kept.call])
            if self.report["set_aside"] == failed:
                self.aside.remove(kept.call)
        return self.report["pairs"] - before

    def set_aside(self, call: Call, reason: str) -> None:
        """Keep a call from which no pair can be made, and note why."""
        reason = _clean(reason)
        if not self.aside.put(call, reason):
            reason = f"{reason} (not kept: too many calls are set aside)"[-_LONGEST_REASON:]
        self._note_calls(call.namespace, [(call, None, reason)], [])
        self.report["set_aside"] += 1

    def note_damaged(self, count: int) -> None:
        """Count calls that were damaged on their way, and of which nothing is known."""
        self.report["calls"] += count
        self.report["without_pair"] += count
        self.reasons[DAMAGED] += count

    def _store_calls(self, calls: Sequence[Call]) -> None:
        read: list[_Read] = []
        for call in calls:
            try:
                read.append((call, *self._reader.read(call)))
            except Exception as error:
                self.set_aside(call, _said(error))
        for namespace in dict.fromkeys(call.namespace for call, _, _ in read):
            mine = [one for one in read if one[0].namespace == namespace]
            pairs = [pair for _, pair, _ in mine if pair is not None]
            added = self._store.add_batch(namespace, pairs) if pairs else []
            self._note_calls(namespace, mine, added)

    def _note_calls(self, namespace: str, calls: list[_Read], added: Sequence[Added]) -> None:
        connection = self._store.connection
        stored = iter(added)
        fresh: list[tuple[_Read, Added | None]] = []
        with transaction(connection):
            connection.execute("INSERT OR IGNORE INTO namespaces(name) VALUES (?)", (namespace,))
            (space,) = connection.execute(
                "SELECT id FROM namespaces WHERE name = ?", (namespace,)
            ).fetchone()
            for call, pair, note in calls:
                made = next(stored) if pair is not None else None
                known = connection.execute(
                    "INSERT OR IGNORE INTO calls(key, namespace, time, path, model, pair, note) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        call.key,
                        space,
                        call.time,
                        call.path,
                        pair.model if pair is not None else "",
                        made.id if made else None,
                        _clean(note),
                    ),
                ).rowcount
                if known:
                    fresh.append(((call, pair, _clean(note)), made))
        for read, made in fresh:
            self._count(*read, made)

    def _count(self, call: Call, pair: NewPair | None, note: str, made: Added | None) -> None:
        self.report["calls"] += 1
        if made is None or pair is None:
            self.report["without_pair"] += 1
            # Reasons may hold a name or an address; their number stays bounded.
            known = note in self.reasons or len(self.reasons) < _MOST_REASONS
            self.reasons[note if known else "other reasons"] += 1
            self.last = {"path": call.path, "no_pair": note}
            return
        self.report["pairs"] += 1
        self.report["new"] += made.new
        self.last = {
            "id": made.id,
            "model": pair.model,
            "images": len(pair.conversation.images),
            "prompt": pair.conversation.messages[-2].text[:80],
            "response": pair.conversation.response[:80],
        }


def _said(error: Exception) -> str:
    if isinstance(error, UnreadableError):
        return str(error)
    if isinstance(error, UnicodeEncodeError):
        # Its own text spells out what was encoded.
        return "holds half of a surrogate pair, which is not text"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return f"cannot be read: {type(error).__name__}: {error}"


def _clean(reason: str) -> str:
    """Text that a database takes."""
    return reason[:_LONGEST_REASON].encode("utf-8", "backslashreplace").decode()
