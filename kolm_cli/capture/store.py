"""The store of captured pairs: SQLite in WAL mode, and images as files beside it.

Several processes may write at once. Every transaction is short (a batch of pairs, never a
whole import), so that nobody waits long for the lock.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from kolm_cli.capture import pair_queries, pair_writes
from kolm_cli.capture.filters import Filter
from kolm_cli.capture.image_files import ImageFiles
from kolm_cli.capture.pairs import Added, NewPair, StoredPair
from kolm_cli.capture.schema import open_database
from kolm_cli.capture.split import Split, check_namespace
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.home import kolm_home
from kolm_cli.records.conversation import Conversation
from kolm_cli.records.images import BytesImage, ImageSource
from kolm_cli.records.judging_tags import PREFIX
from kolm_cli.records.pair import Pair

BATCH = 200
BATCH_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class NamespaceSummary:
    """A namespace and how many pairs it holds in each review state."""

    name: str
    pairs: int
    pending: int
    accepted: int
    rejected: int


class Store:
    """Pairs and their images under one home folder.

    A store may be handed from thread to thread, but not used by two at once.
    """

    def __init__(self, home: Path, connection: sqlite3.Connection) -> None:
        self.home = home
        self.connection = connection
        self.files = ImageFiles(home / "images")

    @classmethod
    def open(cls, home: Path | None = None) -> Store:
        """Open the store under `home` (by default `$KOLM_HOME`), made when there is none.

        Raises:
            LackingError: see `schema.open_database`.
        """
        home = home or kolm_home()
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(home, open_database(home))

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- writing -----------------------------------------------------------------------------

    def add(
        self,
        namespace: str,
        conversation: Conversation,
        images: Mapping[str, ImageSource | bytes],
        *,
        source: str,
        answers: tuple[str, ...] = (),
        model: str = "",
        tags: tuple[str, ...] = (),
        captured: int | None = None,
    ) -> Added:
        """Add one pair; see `Pair` and `NewPair` for the arguments.

        Raises:
            InputError: the pair cannot teach anything, or an image is missing or unreadable.
        """
        pair = Pair(conversation, answers, model, tags, captured)
        return self.add_batch(namespace, [NewPair(pair, source, images)])[0]

    def add_batch(self, namespace: str, pairs: Sequence[NewPair]) -> list[Added]:
        """Add pairs in one transaction: all of them or none.

        A pair that the namespace holds already is not added again; further answers and tags
        that it brings are.

        Raises:
            InputError: as `add`, with every pair that is wrong.
        """
        return pair_writes.add_batch(self.connection, self.files, check_namespace(namespace), pairs)

    def add_many(self, namespace: str, pairs: Iterable[NewPair]) -> Iterator[Added]:
        """Add any number of pairs, a short transaction for every `BATCH`; memory is bounded."""
        batch: list[NewPair] = []
        held = 0
        for pair in pairs:
            batch.append(pair)
            held += sum(
                len(image.data) for image in pair.images.values() if isinstance(image, BytesImage)
            )
            if len(batch) == BATCH or held > BATCH_BYTES:
                yield from self.add_batch(namespace, batch)
                batch, held = [], 0
        if batch:
            yield from self.add_batch(namespace, batch)

    # -- reading -----------------------------------------------------------------------------

    def pairs(
        self,
        namespace: str,
        *,
        accepted_only: bool = False,
        split: Split | str | None = None,
        matching: Filter | None = None,
        newest_first: bool = False,
    ) -> Iterator[StoredPair]:
        """The pairs of `namespace`, ordered by digest, as they are at the first `next`.

        The order depends on the pairs alone, not on when or by whom they were added. What is
        added or removed meanwhile does not show. Rejected pairs are left out, unless
        `matching` is given and says otherwise.

        Args:
            namespace: its name.
            accepted_only: leave out what no reviewer accepted.
            split: one part of `capture:NS@split`.
            matching: further conditions.
            newest_first: order by time instead.

        Raises:
            InputError: there is no such namespace.
        """
        wanted = _chosen(accepted_only, matching)
        part = Split.parse(split) if isinstance(split, str) else split
        with self._snapshot() as connection:
            number = pair_queries.namespace_id(connection, namespace)
            yield from pair_queries.pairs(
                connection, namespace, number, wanted, part, newest_first=newest_first
            )

    def count(
        self,
        namespace: str,
        *,
        accepted_only: bool = False,
        split: Split | str | None = None,
        matching: Filter | None = None,
    ) -> int:
        """How many pairs `pairs` would give."""
        wanted = _chosen(accepted_only, matching)
        part = Split.parse(split) if isinstance(split, str) else split
        with self._snapshot() as connection:
            number = pair_queries.namespace_id(connection, namespace)
            return pair_queries.count(connection, number, wanted, part)

    def pair(self, number: int) -> StoredPair:
        """One pair by its number.

        Raises:
            InputError: there is none of this number.
        """
        # SQLite takes no larger number.
        known = 0 < number < 1 << 63
        found = pair_queries.by_id(self.connection, number) if known else None
        if found is None:
            raise InputError(
                Problem(f"there is no such pair: {number}", fix="kolm capture ls NS lists numbers")
            )
        return found

    def namespaces(self) -> list[NamespaceSummary]:
        """Every namespace that holds a pair, by name."""
        return [NamespaceSummary(*row) for row in pair_queries.summaries(self.connection)]

    def namespace_digest(
        self,
        namespace: str,
        *,
        accepted_only: bool = False,
        split: Split | str | None = None,
    ) -> str:
        """One SHA-256 that changes whenever `pairs` with the same arguments would change.

        Covers the digests, further answers and judging of the chosen pairs; with a split, those of
        every pair in the namespace, as each may decide on which side another falls. Decodes
        nothing: half a second for a million pairs.

        Raises:
            InputError: there is no such namespace.
        """
        part = Split.parse(split) if isinstance(split, str) else split
        total = hashlib.sha256(f"kolm-namespace-1\n{part or ''}\n{accepted_only}\n".encode())
        chosen = "review = 1" if accepted_only else "review <> 2"
        with self._snapshot() as connection:
            number = pair_queries.namespace_id(connection, namespace)
            for condition in (chosen, "1") if part else (chosen,):
                for kind in ("digest", "CAST(digest || answers AS BLOB)"):
                    further = "AND answers <> ''" if kind != "digest" else ""
                    found = connection.execute(
                        f"SELECT {kind} FROM pairs INDEXED BY pairs_in_brief "  # noqa: S608
                        f"WHERE namespace = ? AND {condition} {further} ORDER BY digest",
                        (number,),
                    )
                    # By thousands: a call a row would take most of the time.
                    while rows := found.fetchmany(5000):
                        total.update(b"".join([row for (row,) in rows]))
                    total.update(b"\n")
            # Tags that say how a row is judged. Nothing where there are none, as it always was.
            tagged = connection.execute(
                "SELECT CAST(digest || tag || char(10) AS BLOB) FROM pair_tags "  # noqa: S608
                "JOIN pairs ON pairs.id = pair_tags.pair "
                f"WHERE tag >= ? AND tag < ? AND namespace = ? AND {chosen} "
                "ORDER BY digest, tag",
                (PREFIX, f"{PREFIX}\U0010ffff", number),
            )
            for (line,) in tagged:
                total.update(line)
        return total.hexdigest()

    def image_path(self, sha256: str) -> Path:
        """Where the bytes of an image are; `kolm capture check` says whether they do."""
        return self.files.path(sha256)

    @contextlib.contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own that sees one state of the database until it is closed."""
        connection = pair_queries.reader(self.home / "capture.db")
        try:
            connection.execute("BEGIN")
            yield connection
        finally:
            connection.close()


def _chosen(accepted_only: bool, matching: Filter | None) -> Filter:
    if accepted_only:
        if matching is not None:
            raise InputError(Problem("accepted_only and matching exclude each other"))
        return Filter(review="accepted")
    return matching or Filter(usable=True)
