"""What a namespace holds, in figures."""

from __future__ import annotations

from typing import Any

from kolm_cli.capture import pair_queries
from kolm_cli.capture.store import Store
from kolm_cli.core.times import time_text

# Longer lists of sources and tags are cut: the figures are for a reader.
MOST = 20


def stats(store: Store, namespace: str) -> dict[str, Any]:
    """Counts of pairs, images, models, tags, sources and calls of one namespace.

    `calls_without_pair` says for each reason how many calls it kept from becoming a pair.

    Raises:
        InputError: there is no such namespace.
    """
    ask = store.connection.execute
    number = (pair_queries.namespace_id(store.connection, namespace),)
    pairs, pending, accepted, rejected, first, last = ask(
        "SELECT count(*), coalesce(sum(review = 0), 0), coalesce(sum(review = 1), 0), "
        "coalesce(sum(review = 2), 0), min(captured), max(captured) FROM pairs "
        "WHERE namespace = ?",
        number,
    ).fetchone()
    images, size, pixels, turned = ask(
        "SELECT count(*), coalesce(sum(size), 0), coalesce(max(width * height), 0), "
        "coalesce(sum(orientation > 1), 0) FROM images "
        "WHERE id IN (SELECT image FROM pair_images JOIN pairs ON pairs.id = pair "
        "WHERE namespace = ?)",
        number,
    ).fetchone()
    (without,) = ask(
        "SELECT count(*) FROM pairs WHERE namespace = ? AND first_image IS NULL", number
    ).fetchone()
    (several,) = ask(
        "SELECT count(*) FROM (SELECT pair FROM pair_images JOIN pairs ON pairs.id = pair "
        "WHERE namespace = ? GROUP BY pair HAVING count(*) > 1)",
        number,
    ).fetchone()
    calls, recorded = ask(
        "SELECT count(*), count(pair) FROM calls WHERE namespace = ?", number
    ).fetchone()
    return {
        "namespace": namespace,
        "pairs": {
            "all": pairs,
            "pending": pending,
            "accepted": accepted,
            "rejected": rejected,
            "without_image": without,
            "with_several_images": several,
        },
        "first": None if first is None else time_text(first),
        "last": None if last is None else time_text(last),
        "images": {"all": images, "bytes": size, "most_pixels": pixels, "turned_by_exif": turned},
        "formats": _most(
            ask,
            "SELECT format, count(*) n FROM images WHERE id IN (SELECT image "
            "FROM pair_images JOIN pairs ON pairs.id = pair WHERE namespace = ?) "
            "GROUP BY format",
            number,
        ),
        "models": _most(
            ask, "SELECT model, count(*) n FROM pairs WHERE namespace = ? GROUP BY model", number
        ),
        "tags": _most(
            ask,
            "SELECT tag, count(*) n FROM pair_tags JOIN pairs ON pairs.id = pair "
            "WHERE namespace = ? GROUP BY tag",
            number,
        ),
        "sources": _most(
            ask,
            "SELECT CASE WHEN instr(source, ':') THEN "
            "substr(source, 1, instr(source, ':') - 1) ELSE source END s, count(*) n "
            "FROM pairs WHERE namespace = ? GROUP BY s",
            number,
        ),
        "calls": {"all": calls, "with_pair": recorded},
        "calls_without_pair": _most(
            ask,
            "SELECT CASE WHEN note = '' THEN 'its pair was removed later' ELSE note END r, "
            "count(*) n FROM calls WHERE namespace = ? AND pair IS NULL GROUP BY r",
            number,
        ),
    }


def _most(ask: Any, query: str, values: tuple[int]) -> dict[str, int]:
    rows = ask(f"{query} ORDER BY n DESC, 1 LIMIT {MOST}", values)
    return {name or "(none)": count for name, count in rows}
