"""Leakage: what is evaluated must not have been trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kolm_cli.core.errors import Problem
from kolm_cli.dataset.picture_book import PictureBook
from kolm_cli.records.row import Row

_FIX = (
    "evaluate on images that are not trained on, or split a namespace with"
    " capture:NS@train and capture:NS@eval"
)


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
    prompts = {_prompt(row): row.id for row in train if not row.conversation.images}
    for row in evaluation:
        if not row.conversation.images:
            if _prompt(row) in prompts:
                yield Problem(
                    f"its prompt is also in the training row {prompts[_prompt(row)]}",
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


def _prompt(row: Row) -> str:
    return "\0".join(f"{m.role}:{m.text}" for m in row.conversation.messages[:-1])
