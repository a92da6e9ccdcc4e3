"""How pairs are written: images first, then one short transaction."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence

from kolm_cli.capture.image_files import ImageFiles
from kolm_cli.capture.pairs import REVIEW_STATES, Added, NewPair, answers_from, answers_text
from kolm_cli.core import canonical_json, digests
from kolm_cli.core.errors import InputError, KolmError, Problem, raise_if_any
from kolm_cli.records.conversation import faults, prompt_hash
from kolm_cli.records.images import ImageSource, image_bytes
from kolm_cli.records.pictures import ImageError, ImageFacts, inspect

# From this many new images on, one sync of everything is quicker than one for each.
SYNC_ALL_FROM = 64


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock for the block; commit at its end, roll back on an error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may have rolled it back already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def now() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def add_batch(
    connection: sqlite3.Connection, files: ImageFiles, namespace: str, pairs: Sequence[NewPair]
) -> list[Added]:
    """Add `pairs` to `namespace`, all or none; see `Store.add_batch`."""
    sources, facts = _check(connection, pairs)
    sizes = _write_images(connection, files, sources, facts)
    with transaction(connection):
        _restore_removed(files, sources, sizes)
        numbers = {sha256: _image_id(connection, sha256, sizes, facts) for sha256 in sources}
        connection.execute("INSERT OR IGNORE INTO namespaces(name) VALUES (?)", (namespace,))
        (space,) = connection.execute(
            "SELECT id FROM namespaces WHERE name = ?", (namespace,)
        ).fetchone()
        return [_insert(connection, space, pair, numbers) for pair in pairs]


def _check(
    connection: sqlite3.Connection, pairs: Sequence[NewPair]
) -> tuple[dict[str, ImageSource | bytes], dict[str, ImageFacts]]:
    """Every image of `pairs`, decoded where that was not done before."""
    problems: list[Problem] = []
    sources: dict[str, ImageSource | bytes] = {}
    facts: dict[str, ImageFacts] = {}
    for pair in pairs:
        problems += faults(pair.conversation, pair.source)
        for sha256 in pair.conversation.images:
            source = pair.images.get(sha256)
            if source is None:
                problems.append(Problem(f"the image {sha256} was not given", where=pair.source))
                continue
            sources.setdefault(sha256, source)
            if sha256 in pair.facts:
                facts[sha256] = pair.facts[sha256]
    for sha256, source in sources.items():
        known = connection.execute(
            "SELECT format, width, height, orientation, 1 FROM images WHERE sha256 = ?",
            (bytes.fromhex(sha256),),
        ).fetchone()
        if sha256 not in facts and known is not None:
            facts[sha256] = ImageFacts(*known)
        elif sha256 not in facts:
            try:
                facts[sha256] = inspect(image_bytes(source))
            except (ImageError, KolmError) as error:
                problems.append(Problem(str(error), where=f"image {sha256}"))
    raise_if_any(problems)
    return sources, facts


def _write_images(
    connection: sqlite3.Connection,
    files: ImageFiles,
    sources: dict[str, ImageSource | bytes],
    facts: dict[str, ImageFacts],
) -> dict[str, int]:
    """Write what is not there yet, durably; gives the size of each image in bytes."""
    sizes: dict[str, int] = {}
    many = len(sources) >= SYNC_ALL_FROM
    written = 0
    for sha256, source in sources.items():
        known = connection.execute(
            "SELECT size FROM images WHERE sha256 = ?", (bytes.fromhex(sha256),)
        ).fetchone()
        if known is not None and files.has(sha256, known[0]):
            sizes[sha256] = known[0]
            continue
        data = image_bytes(source)
        if digests.sha256_bytes(data) != sha256:
            raise InputError(Problem("its bytes have another digest", where=f"image {sha256}"))
        written += files.put(sha256, data, durable=not many)
        sizes[sha256] = len(data)
    if many and written:
        os.sync()
    return sizes


def _restore_removed(
    files: ImageFiles, sources: dict[str, ImageSource | bytes], sizes: dict[str, int]
) -> None:
    """Write again what a `capture rm` deleted after it was written and before the lock was had.

    `rm` deletes files only while it holds the lock, so from here on they stay.
    """
    for sha256, source in sources.items():
        if not files.has(sha256, sizes[sha256]):
            files.put(sha256, image_bytes(source))


def _image_id(
    connection: sqlite3.Connection,
    sha256: str,
    sizes: dict[str, int],
    facts: dict[str, ImageFacts],
) -> int:
    name, found = bytes.fromhex(sha256), facts[sha256]
    connection.execute(
        "INSERT OR IGNORE INTO images(sha256, size, format, width, height, orientation) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (name, sizes[sha256], found.format, found.width, found.height, found.orientation),
    )
    (number,) = connection.execute("SELECT id FROM images WHERE sha256 = ?", (name,)).fetchone()
    return int(number)


def _insert(
    connection: sqlite3.Connection, space: int, pair: NewPair, numbers: dict[str, int]
) -> Added:
    text = canonical_json.dumps(pair.conversation.as_json())
    digest = digests.sha256_bytes(text)
    shown = pair.conversation.images
    row = connection.execute(
        "SELECT id, answers FROM pairs WHERE namespace = ? AND digest = ?",
        (space, bytes.fromhex(digest)),
    ).fetchone()
    if row is None:
        number = connection.execute(
            "INSERT INTO pairs(namespace, digest, review, answers, first_image, prompt_hash, "
            "captured, model, source, conversation) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                space,
                bytes.fromhex(digest),
                REVIEW_STATES.index(pair.review),
                answers_text(pair.answers),
                numbers[shown[0]] if shown else None,
                None if shown else prompt_hash(pair.conversation),
                now() if pair.pair.captured is None else pair.pair.captured,
                pair.model,
                pair.source,
                text.decode(),
            ),
        ).lastrowid
        assert number is not None  # noqa: S101 - an INSERT always has one
        connection.executemany(
            "INSERT INTO pair_images(pair, image) VALUES (?, ?)",
            [(number, numbers[sha256]) for sha256 in dict.fromkeys(shown)],
        )
    else:
        number, answers = row
        held = answers_from(answers)
        further = tuple(a for a in pair.answers if a not in held)
        if further:
            connection.execute(
                "UPDATE pairs SET answers = ? WHERE id = ?",
                (answers_text((*held, *further)), number),
            )
    connection.executemany(
        "INSERT OR IGNORE INTO pair_tags(tag, pair) VALUES (?, ?)",
        [(tag, number) for tag in pair.tags],
    )
    return Added(new=row is None, digest=digest, id=int(number))
