"""How the pictures of one row are shown: by what processor, and at which sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kolm_cli.encoding.base_processor import BaseProcessor
from kolm_cli.encoding.encoded import RowError
from kolm_cli.families import row_sizes
from kolm_cli.families.coordinates import Size
from kolm_cli.records.conversation import Conversation


@dataclass(frozen=True)
class View:
    """One row's pictures.

    Attributes:
        base: its processor shows them as the row asks.
        sizes: width and height of each, upright.
        shown: width and height at which the tower sees each.
    """

    base: BaseProcessor
    sizes: tuple[Size, ...]
    shown: tuple[Size, ...]


def view(base: BaseProcessor, conversation: Conversation, sizes: Sequence[Size]) -> View:
    """How the pictures of a conversation are shown.

    Raises:
        RowError: the family cannot show a picture as the row asks, or not at all.
    """
    wishes = conversation.wishes
    try:
        if not any(wishes):
            return View(base, tuple(sizes), tuple(base.shown(size) for size in sizes))
        processor, shown = row_sizes.processor_for(base.family, base.processor, wishes, sizes)
    except (ValueError, ZeroDivisionError) as error:
        # Processors refuse pictures that are far too narrow.
        raise RowError(f"the processor refuses it: {error}") from error
    return View(replace(base, processor=processor), tuple(sizes), tuple(shown))
