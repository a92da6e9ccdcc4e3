"""Boxes and points between a row, which speaks of the original, and a family's own writing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kolm_cli.encoding.base_processor import BaseProcessor
from kolm_cli.encoding.encoded import RowError
from kolm_cli.encoding.located import Located
from kolm_cli.families.coordinates import Size
from kolm_cli.records.conversation import Box, Conversation, Part, Reference


def written(base: BaseProcessor, conversation: Conversation, sizes: Sequence[Size]) -> Conversation:
    """The conversation with its boxes and references as the family's models write them.

    Args:
        base: knows the family and its processor.
        conversation: boxes in pixels of the originals.
        sizes: width and height of each picture of the conversation, upright.

    Raises:
        RowError: the family has no convention, or none for points.
    """

    def write(part: Part) -> Part:
        if isinstance(part, Reference):
            convention = base.family.coordinates
            text = convention.reference.format(name=part.text) if convention else part.text
            return Reference(text)
        if not isinstance(part, Box):
            return part
        convention = base.family.coordinates
        if convention is None:
            raise RowError(no_convention(base.family.name))
        size = sizes[part.image]
        try:
            text = convention.write(part.values, size, base.shown(size))
        except ValueError as error:
            raise RowError(f"it has a point, and {base.family.name} cannot: {error}") from error
        return replace(part, text=text)

    if not conversation.has_regions:
        return conversation
    return Conversation(
        tuple(replace(m, parts=tuple(map(write, m.parts))) for m in conversation.messages)
    )


def in_originals(base: BaseProcessor, text: str, located: Located) -> str:
    """A model's answer with every box and point in pixels of the original picture."""
    convention = base.family.coordinates
    if convention is None or not located.sizes:
        return text

    def sizes(index: int) -> tuple[Size, Size]:
        size = located.sizes[located.image_of(index)]
        return size, base.shown(size)

    return convention.read(text, sizes)


def no_convention(family: str) -> str:
    """Why a row with boxes is refused."""
    return (
        f"it has boxes, and the authors of {family} do not say how its models write them: write"
        " them as plain text, in a convention of your own"
    )
