"""Removing pairs so that they are gone: their text, and every image that no pair shows any more."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from kolm_cli.capture import pair_queries
from kolm_cli.capture.filters import Filter
from kolm_cli.capture.image_files import ImageFiles
from kolm_cli.capture.pair_writes import transaction
from kolm_cli.capture.store import Store
from kolm_cli.core.progress import Progress, Silent

_CHUNK = 500


@dataclass
class Removed:
    """What was removed.

    Attributes:
        pairs: pairs deleted.
        images: image files deleted, as no pair of any namespace shows them any more.
        bytes: the size of those files.
        clean: False when another process was reading, so that the removed text may stand in
            `capture.db-wal` until the last of them closes the store.
    """

    pairs: int = 0
    images: int = 0
    bytes: int = 0
    clean: bool = True


def matching(store: Store, namespace: str | None, wanted: Filter) -> list[int]:
    """The numbers of the pairs that `remove` would delete.

    Raises:
        InputError: there is no such namespace.
    """
    return list(_numbers(store.connection, namespace, wanted))


def _numbers(
    connection: sqlite3.Connection, namespace: str | None, wanted: Filter
) -> Iterator[int]:
    where, values = wanted.where(connection)
    if namespace is not None:
        where, values = (
            f"namespace = ? AND {where}",
            [pair_queries.namespace_id(connection, namespace), *values],
        )
    found = connection.execute(f"SELECT pairs.id FROM pairs WHERE {where}", values)  # noqa: S608
    for (number,) in found:
        yield number


def remove(store: Store, numbers: list[int], progress: Progress | None = None) -> Removed:
    """Delete these pairs, and the images that nothing refers to afterwards.

    The text is overwritten in the database (`secure_delete`) and the write-ahead log is
    emptied. Other writers wait for a chunk of pairs at the most.
    """
    progress = progress or Silent()
    progress.stage("removing pairs", len(numbers), "pairs")
    done = Removed()
    waiting = iter(numbers)
    while chunk := list(islice(waiting, _CHUNK)):
        images = _delete_pairs(store.connection, chunk, done)
        sweep(store.connection, store.files, images, done)
        progress.advance(done.pairs)
    done.clean = empty_log(store.connection)
    return done


def _delete_pairs(connection: sqlite3.Connection, chunk: list[int], done: Removed) -> list[int]:
    """Delete the pairs; gives the images that they showed."""
    ids = json.dumps(chunk)
    with transaction(connection):
        images = connection.execute(
            "SELECT DISTINCT image FROM pair_images WHERE pair IN (SELECT value FROM json_each(?))",
            (ids,),
        ).fetchall()
        done.pairs += connection.execute(
            "DELETE FROM pairs WHERE id IN (SELECT value FROM json_each(?))", (ids,)
        ).rowcount
    return [image for (image,) in images]


def sweep(
    connection: sqlite3.Connection, files: ImageFiles, images: list[int], done: Removed
) -> None:
    """Delete those of `images` that no pair shows.

    A transaction of its own, after the pairs are gone for good: a crash leaves an orphaned
    file that `kolm capture check` finds, never a pair without its image. Files are deleted
    while the lock is held, so that no other process is just now adding a pair that shows one.
    """
    with transaction(connection):
        for number in images:
            row = connection.execute(
                "SELECT sha256, size FROM images WHERE id = ? "
                "AND NOT EXISTS (SELECT 1 FROM pair_images WHERE image = images.id)",
                (number,),
            ).fetchone()
            if row is not None:
                connection.execute("DELETE FROM images WHERE id = ?", (number,))
                files.remove(row[0].hex())
                done.images += 1
                done.bytes += row[1]


def empty_log(connection: sqlite3.Connection) -> bool:
    """Move the write-ahead log into the database and truncate it; False when a reader forbids."""
    connection.execute("PRAGMA busy_timeout = 2000")
    try:
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute("PRAGMA busy_timeout = 60000")
    return not busy
