"""The journal of one loop: SQLite, so that a kill at any point leaves the step before it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from kolm_cli.core.errors import LackingError, Problem, VerificationError
from kolm_cli.loop.forms import RESULT, SETTINGS, misfit

_VERSION = 1
_SCHEMA = """
CREATE TABLE settings (one INTEGER PRIMARY KEY CHECK (one = 1), content TEXT NOT NULL);
CREATE TABLE turns (
    id INTEGER PRIMARY KEY,
    started TEXT NOT NULL,
    ended TEXT,
    fingerprint TEXT NOT NULL,
    parent TEXT,
    state TEXT NOT NULL,
    why TEXT NOT NULL DEFAULT '',
    result TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE moves (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    turn INTEGER,
    kind TEXT NOT NULL,
    cid TEXT NOT NULL,
    digest TEXT NOT NULL,
    done INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE hooks (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    event TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'waiting',
    said TEXT NOT NULL DEFAULT ''
);
"""
# States in which a turn has judged its inputs: the same ones need no other turn.
JUDGED = ("promoted", "unchanged", "kept")


@dataclass(frozen=True)
class Turn:
    """One turn of the loop.

    Attributes:
        id: counts up.
        started: when, ISO 8601 in UTC.
        ended: when; None while it runs, and when it was killed.
        fingerprint: names the inputs, whatever it started from.
        parent: the CID that it started from, empty for the base; None when the spec decides.
        state: `compiling`, `compiled`, then `promoted`, `unchanged`, `kept`, `failed` or
            `interrupted`.
        why: what led to that state, for a person.
        result: what the compile reported.
    """

    id: int
    started: str
    ended: str | None
    fingerprint: str
    parent: str | None
    state: str
    why: str
    result: dict[str, Any]


@dataclass(frozen=True)
class Move:
    """One move of the tag: a promotion, or the way back.

    Attributes:
        id: counts up.
        at: when it was decided.
        turn: of a promotion.
        kind: `promote` or `rollback`.
        cid: what the tag means after it.
        digest: the same, with its signatures.
        done: whether the tag was moved.
    """

    id: int
    at: str
    turn: int | None
    kind: str
    cid: str
    digest: str
    done: bool


@dataclass(frozen=True)
class Hook:
    """One call that the world is owed.

    Attributes:
        id: counts up.
        kind: `command` or `webhook`.
        target: the command line or the address.
        event: what it is told.
        attempts: how often it was tried.
        state: `waiting`, `done`, `failed` (to be tried again) or `dropped`.
        said: why it failed.
    """

    id: int
    kind: str
    target: str
    event: dict[str, Any]
    attempts: int
    state: str
    said: str


Made = TypeVar("Made", Turn, Move, Hook)
# The types of the values of a field that is declared so.
_FORMS = {
    "int": (int,),
    "int | None": (int, type(None)),
    "str": (str,),
    "str | None": (str, type(None)),
    "bool": (bool,),
    "dict[str, Any]": (dict,),
}


def now() -> str:
    """This moment, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class Journal:
    """What a loop did. Each method is one transaction, on the disk when it returns.

    Raises:
        VerificationError: the file is damaged, or of a later kolm.
        LackingError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._readable():
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None)
            self._db.row_factory = sqlite3.Row
            self._db.execute("PRAGMA synchronous = FULL")
            with self._transaction():
                (version,) = self._db.execute("PRAGMA user_version").fetchone()
                if version == 0:
                    for statement in filter(str.strip, _SCHEMA.split(";")):
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA user_version = {_VERSION}")
                elif version != _VERSION:
                    raise VerificationError(
                        Problem(
                            f"is of version {version}; this kolm knows {_VERSION}",
                            str(path),
                            "use the kolm that wrote it",
                        )
                    )

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            # A row that is no text, or no such table: it will not be there the next time either.
            if getattr(error, "sqlite_errorcode", None) in (None, sqlite3.SQLITE_ERROR):
                raise self._damaged(f"{error}") from error
            raise LackingError(
                Problem(f"the journal: {error}", str(self._path), "try again")
            ) from error
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            # The latter: text of the file, in an error's words or in a row, is not UTF-8.
            raise self._damaged(f"{error}") from error

    def _damaged(self, how: str) -> VerificationError:
        return VerificationError(
            Problem(f"the journal is damaged: {how}", str(self._path)),
            hint="move it away; the bundles and their tags are in the registry",
        )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _write(self, *statements: tuple[str, Sequence[Any]]) -> int:
        """Run statements as one; the id of the last row that was added."""
        with self._readable(), self._transaction():
            last = 0
            for text, values in statements:
                last = self._db.execute(text, values).lastrowid or 0
        return last

    def _read(self, text: str, *values: Any) -> list[sqlite3.Row]:
        with self._readable():
            return self._db.execute(text, values).fetchall()

    def _object(self, text: object) -> dict[str, Any]:
        """An object that was written as JSON."""
        try:
            found = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise self._damaged("what should be an object is none")
        return found

    def _made(self, kind: type[Made], row: sqlite3.Row, **changed: Any) -> Made:
        """The row as what it stands for: SQLite takes any value for a column."""
        values = {**dict(row), **changed}
        known = {field.name: _FORMS[str(field.type)] for field in fields(kind)}
        if values.keys() != known.keys():
            raise self._damaged("a table has other columns")
        if wrong := [name for name, form in known.items() if type(values[name]) not in form]:
            raise self._damaged(f"{wrong[0]} is {values[wrong[0]]!r:.60}")
        return kind(**values)

    # -- settings -----------------------------------------------------------------------------

    def settings(self) -> dict[str, Any]:
        """What was last asked of the loop, and when it last looked."""
        rows = self._read("SELECT content FROM settings")
        found = self._object(rows[0]["content"]) if rows else {}
        if how := misfit(found, SETTINGS):
            raise self._damaged(how)
        return found

    def configure(self, **changes: Any) -> None:
        """Remember settings beside those that are there."""
        content = json.dumps({**self.settings(), **changes})
        self._write(("INSERT OR REPLACE INTO settings VALUES (1, ?)", (content,)))

    # -- turns --------------------------------------------------------------------------------

    def begin(self, fingerprint: str, parent: str | None) -> int:
        """A turn starts to compile."""
        text = "INSERT INTO turns (started, fingerprint, parent, state) VALUES (?, ?, ?, ?)"
        return self._write((text, (now(), fingerprint, parent, "compiling")))

    def compiled(self, turn: int, result: dict[str, Any]) -> None:
        """The bundle of a turn is there."""
        text = "UPDATE turns SET state = 'compiled', result = ? WHERE id = ?"
        self._write((text, (json.dumps(result), turn)))

    def end(self, turn: int, state: str, why: str, hooks: Sequence[Hook] = ()) -> None:
        """A turn is over, and these calls are owed."""
        text = "UPDATE turns SET state = ?, why = ?, ended = ? WHERE id = ?"
        self._write((text, (state, why, now(), turn)), *map(_owed, hooks))

    def turns(self, limit: int = 20) -> list[Turn]:
        """The last turns, newest first."""
        rows = self._read("SELECT * FROM turns ORDER BY id DESC LIMIT ?", limit)
        turns = [self._made(Turn, row, result=self._object(row["result"])) for row in rows]
        for turn in turns:
            judged = turn.state in ("compiled", *JUDGED)
            if (judged or turn.result) and (how := misfit(turn.result, RESULT, whole=True)):
                raise self._damaged(how)
        return turns

    def unended(self) -> Turn | None:
        """The turn that was killed, if the last one was."""
        last = self.turns(1)
        return last[0] if last and last[0].ended is None else None

    # -- moves of the tag ---------------------------------------------------------------------

    def plan(self, turn: int | None, kind: str, cid: str, digest: str) -> Move:
        """Decide to move the tag, before it is moved."""
        text = "INSERT INTO moves (at, turn, kind, cid, digest) VALUES (?, ?, ?, ?, ?)"
        at = now()
        number = self._write((text, (at, turn, kind, cid, digest)))
        return Move(number, at, turn, kind, cid, digest, done=False)

    def moved(self, move: Move, why: str, hooks: Sequence[Hook]) -> None:
        """The tag was moved: its turn is over, and these calls are owed."""
        end = "UPDATE turns SET state = 'promoted', why = ?, ended = ? WHERE id = ?"
        self._write(
            ("UPDATE moves SET done = 1 WHERE id = ?", (move.id,)),
            (end, (why, now(), move.turn)),
            # Whoever has not heard of the last one need not hear of it any more.
            ("UPDATE hooks SET state = 'dropped' WHERE state IN ('waiting', 'failed')", ()),
            *map(_owed, hooks),
        )

    def moves(self) -> list[Move]:
        """Every move, in order."""
        rows = self._read("SELECT * FROM moves ORDER BY id")
        return [self._made(Move, row, done=bool(row["done"])) for row in rows]

    # -- hooks --------------------------------------------------------------------------------

    def owed(self) -> list[Hook]:
        """The calls that were not made, or failed."""
        rows = self._read("SELECT * FROM hooks WHERE state IN ('waiting', 'failed') ORDER BY id")
        return [self._made(Hook, row, event=self._object(row["event"])) for row in rows]

    def tried(self, hook: Hook, error: str) -> None:
        """A call was made; `error` is empty when it was heard."""
        state = "failed" if error else "done"
        text = "UPDATE hooks SET attempts = attempts + 1, state = ?, said = ? WHERE id = ?"
        self._write((text, (state, error, hook.id)))


def _owed(hook: Hook) -> tuple[str, Sequence[Any]]:
    text = "INSERT INTO hooks (kind, target, event) VALUES (?, ?, ?)"
    return text, (hook.kind, hook.target, json.dumps(hook.event))
