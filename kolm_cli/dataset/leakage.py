"""Leakage: what is evaluated must not have been trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kolm_cli.core.errors import Problem
from kolm_cli.records.row import Row


def leaks(train: Sequence[Row], evaluation: Sequence[Row]) -> Iterator[Problem]:
    """A problem for every evaluation row that shares an image with a training row.

    A row without images leaks when its whole prompt stands in a training row.
    """
    images = {sha256: row.id for row in train for sha256 in row.conversation.images}
    prompts = {_prompt(row): row.id for row in train if not row.conversation.images}
    for row in evaluation:
        shown = next((s for s in row.conversation.images if s in images), None)
        if shown is not None:
            yield Problem(
                f"its image {shown[:12]} is also in the training row {images[shown]}",
                where=row.id,
                fix="evaluate on images that are not trained on, or split a namespace with"
                " capture:NS@train and capture:NS@eval",
            )
        elif not row.conversation.images and _prompt(row) in prompts:
            yield Problem(
                f"its prompt is also in the training row {prompts[_prompt(row)]}",
                where=row.id,
                fix="evaluate on prompts that are not trained on",
            )


def _prompt(row: Row) -> str:
    return "\0".join(f"{m.role}:{m.text}" for m in row.conversation.messages[:-1])
