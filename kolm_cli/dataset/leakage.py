"""Leakage: what is evaluated must not have been trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kolm_cli.core.errors import Problem
from kolm_cli.dataset.looks import alike
from kolm_cli.dataset.picture_book import PictureBook
from kolm_cli.records.images import ImageSource
from kolm_cli.records.row import Row

_FIX = (
    "evaluate on images that are not trained on, or split a namespace with"
    " capture:NS@train and capture:NS@eval"
)
# Rows that a warning names.
_NAMED = 3


def leaks(
    train: Sequence[Row], evaluation: Sequence[Row], book: PictureBook | None = None
) -> Iterator[Problem]:
    """A problem for every evaluation row that shows a picture of a training row.

    The same decoded pixels are the same picture, however they were saved. A row without images
    leaks when a training row has the same prompt.

    Args:
        train: the training rows.
        evaluation: the evaluation rows.
        book: what is known of their images already.
    """
    book = book or PictureBook()
    files = {sha256: row.id for row in train for sha256 in row.conversation.images}
    pictures = {
        book.pixels_of(sha256, source): row.id
        for row in train
        for sha256, source in row.images.items()
    }
    prompts = {prompt_of(row): row.id for row in train if not row.conversation.images}
    for row in evaluation:
        if not row.conversation.images:
            if prompt_of(row) in prompts:
                yield Problem(
                    f"its prompt is also in the training row {prompts[prompt_of(row)]}",
                    where=row.id,
                    fix="evaluate on prompts that are not trained on",
                    kind="leaked-prompt",
                )
            continue
        for sha256 in dict.fromkeys(row.conversation.images):
            if sha256 in files:
                what = f"its image {sha256[:12]} is also in the training row {files[sha256]}"
                yield Problem(what, row.id, _FIX, "leaked-image")
                break
            found = pictures.get(book.pixels_of(sha256, row.images[sha256]))
            if found is not None:
                what = (
                    f"its image {sha256[:12]} is also in the training row {found}: another file,"
                    " the same pixels"
                )
                yield Problem(what, row.id, _FIX, "leaked-pixels")
                break


def near_leaks(train: Sequence[Row], evaluation: Sequence[Row], book: PictureBook) -> str:
    """A warning of evaluation rows whose pictures look like training ones; "" when there are none.

    Whether two charts that differ in one bar are the same is for a person to say.
    """
    shown = {name: (row.id, source) for row in train for name, source in row.images.items()}
    asked = {name: (row.id, source) for row in evaluation for name, source in row.images.items()}
    known, known_rows = _looks(shown, book)
    mine, my_rows = _looks(asked, book)
    found = [(my_rows[i], known_rows[j]) for i, j in alike(known, mine)]
    if not found:
        return ""
    rows = list(dict.fromkeys(row for row, _ in found))
    named = ", ".join(f"{row} like {other}" for row, other in found[:_NAMED])
    more = ", …" if len(found) > _NAMED else ""
    return (
        f"{len(rows)} of {len(evaluation)} evaluation rows show pictures that look like ones that"
        f" are trained on ({named}{more}): their score may say little about new ones"
    )


def _looks(
    images: Mapping[str, tuple[str, ImageSource]], book: PictureBook
) -> tuple[list[str], list[str]]:
    """What the images look like, and the row that shows each."""
    found = [(book.looks_of(name, source), row) for name, (row, source) in images.items()]
    return [looks for looks, _ in found if looks], [row for looks, row in found if looks]


def prompt_of(row: Row) -> str:
    """What a row asks, its earlier turns included."""
    return "\0".join(f"{m.role}:{m.text}" for m in row.conversation.messages[:-1])
