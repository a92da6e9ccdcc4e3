"""Which pictures the boxes of an answer are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kolm_cli.families.coordinates import Size
from kolm_cli.records.conversation import Conversation


@dataclass(frozen=True)
class Located:
    """What maps the boxes of a model's answer back to the originals.

    Attributes:
        sizes: width and height of each picture of the row, upright.
        shown: width and height at which the model saw each.
        images: for each box of the accepted answer its picture, counted from 0; empty when the
            accepted answer has none.
        answered: whether there is an accepted answer.
    """

    sizes: tuple[Size, ...] = ()
    shown: tuple[Size, ...] = ()
    images: tuple[int, ...] = ()
    answered: bool = True

    @classmethod
    def of(
        cls, conversation: Conversation, sizes: Sequence[Size], shown: Sequence[Size]
    ) -> Located:
        """What is known of a row."""
        answer = Conversation(conversation.messages[-1:])
        images = tuple(box.image for box in answer.boxes)
        return cls(tuple(sizes), tuple(shown), images, bool(conversation.response.strip()))

    def image_of(self, index: int) -> int:
        """The picture of the n-th box that a model wrote: as in the answer, else the last of it."""
        return self.images[min(index, len(self.images) - 1)] if self.images else 0


NOWHERE = Located()
