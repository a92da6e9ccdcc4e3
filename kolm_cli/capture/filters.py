"""Which pairs: by time, model, tag, text, review state, source, image or id."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kolm_cli.capture.pairs import REVIEW_STATES
from kolm_cli.records.conversation import ReviewState


@dataclass(frozen=True)
class Filter:
    """Every field that is set must match; an empty filter matches every pair.

    Attributes:
        since: captured at this time or later, milliseconds since 1970 (UTC).
        until: captured before this time.
        model: the model's name.
        tag: one of the pair's tags.
        text: occurs in a message, ignoring case.
        review: the review state.
        source: the source, or the part before its `:line`.
        image: the SHA-256 (hex) of an image that it shows.
        ids: numbers in the store.
        usable: leave rejected pairs out.
    """

    since: int | None = None
    until: int | None = None
    model: str | None = None
    tag: str | None = None
    text: str | None = None
    review: ReviewState | None = None
    source: str | None = None
    image: str | None = None
    ids: tuple[int, ...] = ()
    usable: bool = False

    def where(self, connection: sqlite3.Connection) -> tuple[str, list[Any]]:
        """A condition on the table `pairs` and its values; may register a function."""
        terms: list[tuple[str, Any]] = []
        if self.since is not None:
            terms.append(("captured >= ?", self.since))
        if self.until is not None:
            terms.append(("captured < ?", self.until))
        if self.model is not None:
            terms.append(("model = ?", self.model))
        if self.tag is not None:
            terms.append(("pairs.id IN (SELECT pair FROM pair_tags WHERE tag = ?)", self.tag))
        if self.review is not None:
            terms.append(("review = ?", REVIEW_STATES.index(self.review)))
        if self.usable:
            terms.append(("review <> ?", REVIEW_STATES.index("rejected")))
        if self.source is not None:
            file = self.source
            terms.append(
                ("(source = ? OR substr(source, 1, ?) = ?)", (file, len(file) + 1, file + ":"))
            )
        if self.image is not None:
            terms.append(
                (
                    "pairs.id IN (SELECT pair FROM pair_images JOIN images ON images.id = image "
                    "WHERE sha256 = ?)",
                    bytes.fromhex(self.image),
                )
            )
        if self.ids:
            marks = "(SELECT value FROM json_each(?))"
            terms.append((f"pairs.id IN {marks}", json.dumps(self.ids)))
        if self.text is not None:
            # Last, as it is the only slow one.
            connection.create_function("kolm_says", 1, _says(self.text), deterministic=True)
            terms.append(("kolm_says(conversation)", ()))
        values: list[Any] = []
        for _, value in terms:
            values.extend(value if isinstance(value, tuple) else (value,))
        return " AND ".join(term for term, _ in terms) or "1", values


def _says(needle: str) -> Callable[[str], bool]:
    """A test of a conversation's JSON: quick where the text cannot occur, exact where it can."""
    wanted = needle.casefold()
    as_written = json.dumps(needle, ensure_ascii=False)[1:-1].casefold()

    def says(conversation: str) -> bool:
        if as_written not in conversation.casefold():
            return False
        # The words could still be JSON's own ("role") or span two strings.
        return any(
            wanted in part["text"].casefold()
            for message in json.loads(conversation)
            for part in message["content"]
            if part["type"] == "text"
        )

    return says
