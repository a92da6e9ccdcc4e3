"""How pairs are read from the database: streamed, in the order of their digests."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kolm_cli.capture.filters import Filter
from kolm_cli.capture.pairs import REVIEW_STATES, StoredPair, answers_from
from kolm_cli.capture.schema import connect
from kolm_cli.capture.split import Buckets, Split
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.names import likely_fix
from kolm_cli.records.conversation import Conversation
from kolm_cli.records.pair import Pair

_COLUMNS = (
    "pairs.id, digest, answers, source, model, captured, review, reviewer, reviewed, "
    "corrected_from, conversation, "
    "(SELECT json_group_array(tag) FROM (SELECT tag FROM pair_tags WHERE pair = pairs.id "
    "ORDER BY tag)), first_image, prompt_hash"
)


def reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write."""
    return connect(path, read_only=True)


def namespace_id(connection: sqlite3.Connection, name: str) -> int:
    """The number of a namespace.

    Raises:
        InputError: there is none of this name; names those that look alike.
    """
    row = connection.execute("SELECT id FROM namespaces WHERE name = ?", (name,)).fetchone()
    if row is not None:
        return int(row[0])
    known = [text for (text,) in connection.execute("SELECT name FROM namespaces ORDER BY name")]
    first = f"import pairs into it: kolm capture import FILE --to {name}"
    fix = likely_fix(name, known, first)
    raise InputError(Problem(f"there is no capture namespace {name!r}", fix=fix))


def summaries(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Name, pairs, and pairs in each review state, of every namespace that holds one."""
    return connection.execute(
        "SELECT name, count(*), sum(review = 0), sum(review = 1), sum(review = 2) "
        "FROM pairs INDEXED BY pairs_in_brief JOIN namespaces ON namespaces.id = namespace "
        "GROUP BY namespace ORDER BY name"
    ).fetchall()


def count(
    connection: sqlite3.Connection, namespace: int, wanted: Filter, split: Split | None
) -> int:
    """How many pairs are chosen; decodes none."""
    where, values = wanted.where(connection)
    if split is None:
        (found,) = connection.execute(
            f"SELECT count(*) FROM pairs WHERE namespace = ? AND {where}",  # noqa: S608
            (namespace, *values),
        ).fetchone()
        return int(found)
    buckets = Buckets(connection, namespace)
    rows = connection.execute(
        "SELECT first_image, prompt_hash FROM pairs "  # noqa: S608
        f"WHERE namespace = ? AND {where}",
        (namespace, *values),
    )
    return sum(buckets.of(first_image, question) in split for first_image, question in rows)


def pairs(
    connection: sqlite3.Connection,
    name: str,
    namespace: int,
    wanted: Filter,
    split: Split | None,
    *,
    newest_first: bool = False,
) -> Iterator[StoredPair]:
    """The chosen pairs, ordered by digest (or the newest first)."""
    where, values = wanted.where(connection)
    buckets = Buckets(connection, namespace) if split else None
    order = "captured DESC, pairs.id DESC" if newest_first else "digest"
    for row in connection.execute(
        f"SELECT {_COLUMNS} FROM pairs "  # noqa: S608
        f"WHERE namespace = ? AND {where} ORDER BY {order}",
        (namespace, *values),
    ):
        if split is None or (buckets and buckets.of(row[-2], row[-1]) in split):
            yield _stored(name, row)


def _stored(namespace: str, row: tuple[Any, ...]) -> StoredPair:
    (number, digest, answers, source, model, captured, review, reviewer, reviewed,
     corrected_from, conversation, tags, _, _) = row  # fmt: skip
    pair = Pair(
        Conversation.from_json(json.loads(conversation)),
        answers_from(answers),
        model,
        tuple(json.loads(tags)) if tags != "[]" else (),
        captured,
        REVIEW_STATES[review],
    )
    return StoredPair(
        pair,
        id=number,
        namespace=namespace,
        digest=digest.hex(),
        source=source,
        reviewer=reviewer,
        reviewed=reviewed,
        corrected_from=corrected_from.hex() if corrected_from else "",
    )


def by_id(connection: sqlite3.Connection, number: int) -> StoredPair | None:
    """One pair, or None."""
    row = connection.execute(
        f"SELECT name, {_COLUMNS} "  # noqa: S608
        "FROM pairs JOIN namespaces ON namespaces.id = namespace WHERE pairs.id = ?",
        (number,),
    ).fetchone()
    if row is None:
        return None
    return _stored(row[0], row[1:])
