"""What was found out once and can be looked up the next time: small JSON values by digest."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from pathlib import Path
from types import TracebackType
from typing import Any

# The latter: what SQLite says quotes the file, which may be no UTF-8.
_DAMAGED = (sqlite3.Error, UnicodeDecodeError)
_TABLE = (
    "CREATE TABLE IF NOT EXISTS found"
    " (key TEXT PRIMARY KEY, value TEXT NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID"
)


class Memo:
    """A file of values; saved when used as a context.

    A memo that is lost, locked or damaged costs time, nothing else.

    Args:
        path: the file.
        most: how many values are kept; those that were not used for longest go.
    """

    def __init__(self, path: Path, most: int = 500_000) -> None:
        self._most = most
        self._new: dict[str, Any] = {}
        self._used: list[str] = []
        self._database: sqlite3.Connection | None = None
        with contextlib.suppress(OSError, *_DAMAGED):
            path.touch(mode=0o600)
            self._database = sqlite3.connect(path, timeout=10)
            self._database.execute(_TABLE)

    def __enter__(self) -> Memo:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._database is None:
            return
        now = int(time.time())
        rows = [(key, json.dumps(value), now) for key, value in self._new.items()]
        with contextlib.suppress(*_DAMAGED), self._database:
            self._database.executemany("INSERT OR REPLACE INTO found VALUES (?, ?, ?)", rows)
            used = [(now, key) for key in self._used]
            self._database.executemany("UPDATE found SET used = ? WHERE key = ?", used)
            self._database.execute(
                "DELETE FROM found WHERE key IN"
                " (SELECT key FROM found ORDER BY used DESC LIMIT -1 OFFSET ?)",
                (self._most,),
            )
        self._database.close()
        self._database = None

    def get(self, key: str) -> Any:
        """The value, None when it is not known."""
        if key in self._new:
            return self._new[key]
        if self._database is None:
            return None
        try:
            found = self._database.execute(
                "SELECT value FROM found WHERE key = ?", (key,)
            ).fetchone()
            value = None if found is None else json.loads(found[0])
        except (*_DAMAGED, ValueError, TypeError, RecursionError):
            return None
        if value is not None:
            self._used.append(key)
        return value

    def put(self, key: str, value: Any) -> None:
        """Remember a value, which is not None."""
        self._new[key] = value
