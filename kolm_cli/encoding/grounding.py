"""Boxes and points between a row, which speaks of the original, and a family's own writing."""

from __future__ import annotations

from dataclasses import replace

from kolm_cli.encoding.base_processor import BaseProcessor
from kolm_cli.encoding.encoded import RowError
from kolm_cli.encoding.located import Located
from kolm_cli.encoding.viewing import View
from kolm_cli.families.base import Family
from kolm_cli.families.coordinates import Size
from kolm_cli.records.conversation import Box, Conversation, Part, Reference
from kolm_cli.records.row import Row


def written(conversation: Conversation, view: View) -> Conversation:
    """The conversation with its boxes and references as the family's models write them.

    Args:
        conversation: boxes in pixels of the originals.
        view: its pictures, as they are shown.

    Raises:
        RowError: the family has no convention, or none for points.
    """
    family = view.base.family

    def write(part: Part) -> Part:
        if isinstance(part, Reference):
            convention = family.coordinates
            text = convention.reference.format(name=part.text) if convention else part.text
            return Reference(text)
        if not isinstance(part, Box):
            return part
        convention = family.coordinates
        if convention is None:
            raise RowError(no_convention(family.name))
        if part.image >= len(view.sizes):
            raise RowError(f"it has a box in image {part.image}, which it does not show")
        size, shown = view.sizes[part.image], view.shown[part.image]
        try:
            text = convention.write(part.values, size, shown)
        except ValueError as error:
            raise RowError(f"it has a point, and {family.name} cannot: {error}") from error
        return replace(part, text=text)

    if not conversation.has_regions:
        return conversation
    return Conversation(
        tuple(replace(m, parts=tuple(map(write, m.parts))) for m in conversation.messages)
    )


def as_asked(base: BaseProcessor, row: Row, located: Located) -> Row:
    """The row with its boxes as plain text, as the family's models are shown them."""
    seen = View(base, located.sizes, located.shown)
    return replace(row, conversation=written(row.conversation, seen).plain)


def in_originals(family: Family, text: str, located: Located) -> str:
    """A model's answer with every box and point in pixels of the original picture."""
    convention = family.coordinates
    if convention is None or not located.sizes:
        return text

    def sizes(index: int) -> tuple[Size, Size]:
        image = located.image_of(index)
        return located.sizes[image], located.shown[image]

    return convention.read(text, sizes)


def no_convention(family: str) -> str:
    """Why a row with boxes is refused."""
    return (
        f"it has boxes, and the authors of {family} do not say how its models write them: write"
        " them as plain text, in a convention of your own"
    )
