"""The evaluation rows as a report shows them: what was asked, accepted and answered."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from kolm_cli.core.errors import KolmError, VerificationError
from kolm_cli.core.progress import Progress
from kolm_cli.records.conversation import Text
from kolm_cli.records.pictures import ImageError, decode_rgb
from kolm_cli.records.row import Row
from kolm_cli.report.boxes import Mark, are_shown, marks_of, spoken, words
from kolm_cli.report.facts import Facts
from kolm_cli.scoring.score import row_scores

# Pixels of the longer side of a picture: to recognize it by, and for a page that can be mailed.
LONGEST_SIDE = 320
MOST_PICTURE_BYTES = 12 << 20
LONGEST_TEXT = 2_000
# What a row came to, in the order in which the rows are shown.
KINDS: Mapping[str, str] = {
    "failure": "no answer",
    "loss": "the base was better",
    "wrong": "both wrong",
    "win": "the adapter was better",
    "same": "both alike",
}


@dataclass(frozen=True)
class Picture:
    """A picture in the page.

    Attributes:
        address: a `data:` address of a small JPEG.
        size: width and height of the original.
        place: which of the row's pictures it is, counted from 0.
        marks: the boxes on it.
        key: who drew them, and in which words a reader is told.
        spoken: the same for who does not see them.
    """

    address: str
    size: tuple[int, int]
    place: int
    marks: Sequence[Mark] = ()
    key: Sequence[tuple[str, str]] = ()
    spoken: str = ""


@dataclass(frozen=True)
class Item:
    """One evaluation row.

    Attributes:
        id: the row's.
        kind: one of `KINDS`.
        question: what was asked; empty when the pack is not here.
        accepted: the accepted answers.
        said: the adapter's answer; None when it gave none.
        base_said: the base's.
        score: what the metric gives the adapter.
        base_score: what it gives the base.
        group: the row's group; empty for none.
        pictures: what it shows, when the pack is here.
    """

    id: str
    kind: str
    question: str
    accepted: Sequence[str]
    said: str | None
    base_said: str | None
    score: float
    base_score: float
    group: str
    pictures: Sequence[Picture]


def items_of(facts: Facts, *, limit: int, pictures: bool, progress: Progress) -> list[Item]:
    """The rows to look at, mistakes first; none when the bundle holds digests alone.

    Args:
        facts: the bundle.
        limit: how many at most.
        pictures: whether to show them.
        progress: told of the rows.
    """
    stored = facts.stored
    if stored.predictions is None or stored.base_predictions is None:
        return []
    metric = stored.settings.scoring().metric
    try:
        own = row_scores(metric, stored.pack, stored.predictions)
        base = row_scores(metric, stored.pack, stored.base_predictions)
    except (ValueError, ArithmeticError, KolmError) as error:
        raise VerificationError(f"its answers cannot be scored: {error}") from error
    order, coordinates = list(KINDS), facts.trained.get("coordinates")
    found = [
        (order.index(kind), place, kind)
        for place, row in enumerate(stored.pack)
        for kind in [_kind(stored.predictions[row.id], own[place], base[place])]
    ]
    # Of each kind some, so that a large pack's wins are not cut by its losses.
    chosen = _fair(sorted(found), limit)
    progress.stage("show rows", len(chosen), "rows")
    budget = MOST_PICTURE_BYTES if pictures else 0
    items = []
    for done, (_, place, kind) in enumerate(chosen, 1):
        asked = stored.pack[place]
        row = facts.pack.get(asked.id)
        shown = list(_pictures(row, budget)) if row is not None and budget > 0 else []
        budget -= sum(len(picture.address) for picture in shown)
        if row is not None and are_shown(asked.judging.metric or metric, row, coordinates):
            answered = {
                "base": stored.base_predictions[asked.id],
                "adapter": stored.predictions[asked.id],
            }
            shown = list(_marked(row, shown, answered))
        items.append(
            Item(
                asked.id,
                kind,
                _question(row) if row is not None else "",
                [_short(text) for text in asked.accepted[:20]],
                _said(stored.predictions[asked.id]),
                _said(stored.base_predictions[asked.id]),
                own[place],
                base[place],
                asked.judging.group,
                shown,
            )
        )
        progress.advance(done)
    return items


def _fair(found: Sequence[tuple[int, int, str]], limit: int) -> list[tuple[int, int, str]]:
    if len(found) <= limit:
        return list(found)
    kinds: dict[int, list[tuple[int, int, str]]] = {}
    for entry in found:
        kinds.setdefault(entry[0], []).append(entry)
    chosen: list[tuple[int, int, str]] = []
    while len(chosen) < limit:
        for entries in kinds.values():
            if entries and len(chosen) < limit:
                chosen.append(entries.pop(0))
    return sorted(chosen)


def _kind(said: str | None, own: float, base: float) -> str:
    if said is None:
        return "failure"
    if own > base:
        return "win"
    if own < base:
        return "loss"
    return "same" if own > 0 else "wrong"


def _question(row: Row) -> str:
    asked = [m for m in row.conversation.messages if m.role != "assistant"]
    texts = ["".join(p.text for p in m.parts if isinstance(p, Text)) for m in asked]
    return _short("\n".join(filter(None, texts)))


def _said(text: str | None) -> str | None:
    return None if text is None else _short(text)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


def _marked(
    row: Row, pictures: Sequence[Picture], said: Mapping[str, str | None]
) -> Iterator[Picture]:
    """The pictures with the boxes that are right, and those that were answered."""
    found = marks_of(row, {one.place: one.size for one in pictures}, said)
    for one in pictures:
        marks = found[one.place]
        yield replace(one, marks=marks, key=words(marks), spoken=spoken(marks))


def _pictures(row: Row, budget: int) -> Iterator[Picture]:
    for place, sha256 in enumerate(row.conversation.images[:8]):
        try:
            image = decode_rgb(row.images[sha256].read())
        except (ImageError, KolmError, OSError, KeyError):
            # The report is made of what is left of the pack.
            continue
        size = image.size
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=80)
        address = "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
        budget -= len(address)
        if budget < 0:
            return
        yield Picture(address, size, place)
