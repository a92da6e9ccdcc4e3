"""Near-duplicates: images that look alike, and questions that say the same of one image.

Exact duplicates are kept once by the store. These are reported, never removed: whether two
charts that differ in one bar are duplicates is for a person to say.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

from kolm_cli.capture import pair_queries
from kolm_cli.capture.pair_writes import transaction
from kolm_cli.capture.store import Store
from kolm_cli.core.errors import LackingError, Problem
from kolm_cli.core.progress import Progress, Silent
from kolm_cli.records.pictures import ImageError, decode_rgb

# Of 64 bits. A re-encoded or resized copy differs in 0 to 4, unrelated images in about 32.
DISTANCE = 4
LIKENESS = 95.0
_BITS = 64
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Alike:
    """Two things that look alike.

    Attributes:
        kind: `image` or `prompt`.
        first: SHA-256 of an image, or a pair's number.
        second: the other one.
        distance: bits that differ (images), or 100 less the likeness in percent (prompts).
    """

    kind: str
    first: str
    second: str
    distance: float

    def as_json(self) -> dict[str, Any]:
        """The finding as a dictionary."""
        return dict(self.__dict__)


def near_duplicates(
    store: Store,
    namespace: str,
    *,
    distance: int = DISTANCE,
    progress: Progress | None = None,
) -> Iterator[Alike]:
    """Images, then prompts, of one namespace that look alike.

    Perceptual hashes are kept in the store, so that only the first call computes them.

    Args:
        store: the store.
        namespace: its name.
        distance: bits (of 64) in which the hashes of like images may differ.
        progress: told how many images were hashed.

    Raises:
        InputError: there is no such namespace.
        LackingError: the extra `kolm-cli[capture]` is not installed.
    """
    number = pair_queries.namespace_id(store.connection, namespace)
    _hash_new_images(store, number, progress or Silent())
    rows = store.connection.execute(
        "SELECT DISTINCT sha256, looks FROM images JOIN pair_images ON image = images.id "
        "JOIN pairs ON pairs.id = pair WHERE namespace = ? AND looks IS NOT NULL "
        "ORDER BY sha256",
        (number,),
    ).fetchall()
    looks = [int.from_bytes(value, "big") for _, value in rows]
    for i, j, bits in _within(looks, distance):
        yield Alike("image", rows[i][0].hex(), rows[j][0].hex(), bits)
    yield from _like_prompts(store.connection, number)


def _hash_new_images(store: Store, namespace: int, progress: Progress) -> None:
    try:
        import imagehash
    except ImportError as error:
        raise LackingError(
            Problem("near-duplicates need the package imagehash"),
            hint="pip install 'kolm-cli[capture]'",
        ) from error
    waiting = store.connection.execute(
        "SELECT DISTINCT images.id, sha256 FROM images JOIN pair_images ON image = images.id "
        "JOIN pairs ON pairs.id = pair WHERE namespace = ? AND looks IS NULL",
        (namespace,),
    ).fetchall()
    progress.stage("hashing images", len(waiting), "images")
    done: list[tuple[bytes, int]] = []
    for count, (number, sha256) in enumerate(waiting, 1):
        try:
            image = decode_rgb(store.image_path(sha256.hex()).read_bytes())
        except (ImageError, OSError):
            progress.note(f"image {sha256.hex()} cannot be read; run kolm capture check")
            continue
        done.append((int(str(imagehash.phash(image)), 16).to_bytes(8, "big"), number))
        progress.advance(count)
        if len(done) == 500 or count == len(waiting):
            with transaction(store.connection):
                store.connection.executemany("UPDATE images SET looks = ? WHERE id = ?", done)
            done = []


def _within(looks: list[int], distance: int) -> Iterator[tuple[int, int, int]]:
    """Pairs of indices whose values differ in at most `distance` bits, each once, in order.

    The bits are cut into one band more than may differ, so that two near values agree in one
    band at least: only values that share a band are compared.
    """
    bands = distance + 1
    edges = [_BITS * i // bands for i in range(bands + 1)]
    masks = [(1 << (high - low)) - 1 for low, high in pairwise(edges)]
    shelves: list[dict[int, list[int]]] = [defaultdict(list) for _ in range(bands)]
    for index, value in enumerate(looks):
        met: set[int] = set()
        for shelf, low, mask in zip(shelves, edges[:-1], masks, strict=True):
            same = shelf[(value >> low) & mask]
            met.update(same)
            same.append(index)
        for other in sorted(met):
            bits = (value ^ looks[other]).bit_count()
            if bits <= distance:
                yield other, index, bits


def _like_prompts(connection: sqlite3.Connection, namespace: int) -> Iterator[Alike]:
    """Pairs that ask nearly the same of the same first image."""
    from rapidfuzz import fuzz

    image: int | None = None
    group: list[tuple[int, str]] = []
    for number, first, text in connection.execute(
        "SELECT id, first_image, conversation FROM pairs "
        "WHERE namespace = ? AND first_image IS NOT NULL ORDER BY first_image, id",
        (namespace,),
    ):
        if first != image:
            yield from _compare(group, fuzz)
            image, group = first, []
        group.append((number, _plain(text)))
    yield from _compare(group, fuzz)


def _plain(conversation: str) -> str:
    """The words of all messages but the last, without case and punctuation."""
    words = [
        part["text"]
        for message in json.loads(conversation)[:-1]
        for part in message["content"]
        if part["type"] == "text"
    ]
    return " ".join(_WORD.findall(" ".join(words).casefold()))


def _compare(group: list[tuple[int, str]], fuzz: Any) -> Iterator[Alike]:
    for (first, one), (second, other) in combinations(group, 2):
        likeness = 100.0 if one == other else fuzz.ratio(one, other, score_cutoff=LIKENESS)
        # Numbers are the question: "year 2019" and "year 2018" are not the same.
        if likeness and _numbers(one) == _numbers(other):
            yield Alike("prompt", str(first), str(second), round(100 - likeness, 1))


def _numbers(text: str) -> list[str]:
    return re.findall(r"\d+", text)
