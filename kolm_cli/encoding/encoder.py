"""The encoder: from a row to tensors, the same in preflight, in training and when answering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from PIL import Image as PILImage

from kolm_cli.dataset.leakage import PixelDigests
from kolm_cli.encoding.base_processor import BaseProcessor
from kolm_cli.encoding.collate import collate
from kolm_cli.encoding.encoded import Encoded, TooLongError
from kolm_cli.encoding.fitting import Side, encode_to_fit
from kolm_cli.encoding.grounding import written
from kolm_cli.encoding.located import Located
from kolm_cli.encoding.open_images import open_images
from kolm_cli.encoding.tokenizing import answer_tokens, encode_prompt, encode_training
from kolm_cli.families.image_limits import ImageLimits
from kolm_cli.families.resolve import Base
from kolm_cli.records.conversation import Conversation
from kolm_cli.records.row import Row


@dataclass(frozen=True)
class Limits:
    """What a row may hold, None for no limit; and which side of the prompt is cut first.

    Attributes:
        max_tokens: prompt and answers together.
        max_images: images in a row.
        side: where cutting begins.
    """

    max_tokens: int | None = None
    max_images: int | None = None
    side: Side = "prompt_start"


@dataclass(frozen=True)
class Encoder(BaseProcessor):
    """Encodes rows for one base. Data workers get this object and nothing else.

    Attributes:
        limits: what a row may hold.
        loss_on: the turns of a row that are learned: all that the row says, or its last.
    """

    limits: Limits = Limits()
    loss_on: Literal["all", "last"] = "all"

    @classmethod
    def for_base(
        cls,
        base: Base,
        limits: Limits,
        images: ImageLimits | None = None,
        loss_on: Literal["all", "last"] = "all",
    ) -> Encoder:
        """The encoder of a base, whose processor shows pictures as `images` says.

        Raises:
            InputError: the base's family does not take such a limit.
        """
        processor = base.family.load_processor(base.source, **base.load_options())
        if images is not None:
            base.family.limit_images(processor, images)
        return cls(base.family, processor, limits, loss_on)

    def training(self, row: Row, pixels: PixelDigests | None = None) -> Encoded:
        """A row as it is trained on, cut to the limits; `pixels` is told of its images.

        Raises:
            RowError: the row cannot be used, or does not fit.
        """
        images = open_images(row, pixels)
        wanted = written(self, row.conversation, [image.size for image in images])
        return encode_to_fit(
            self,
            wanted.learning_last() if self.loss_on == "last" else wanted,
            lambda conversation: encode_training(self, conversation, images),
            budget=self.limits.max_tokens,
            side=self.limits.side,
        )

    def prompt(self, row: Row, pixels: PixelDigests | None = None) -> Encoded:
        """A row up to its last answer, as the model sees it; `pixels` is told of its images.

        It is cut where training would cut the row, so that the same row is asked as it was learned:
        its own answer counts, though it is not shown. Of a row without one, and of one whose answer
        leaves no room, the end token counts alone.

        Raises:
            RowError: the row cannot be asked, or does not fit.
        """
        images = open_images(row, pixels)
        sizes = [image.size for image in images]
        encoded = self._prompt(written(self, row.conversation, sizes), images)
        return replace(encoded, located=Located.of(row.conversation, sizes))

    def _prompt(self, conversation: Conversation, images: list[PILImage.Image]) -> Encoded:
        encoded = encode_prompt(self, conversation, images)
        budget, said = self.limits.max_tokens, conversation.response
        if budget is None or encoded.tokens + _most_tokens(said) <= budget:
            return encoded

        def fitting(answer: str) -> Encoded:
            return encode_to_fit(
                self,
                conversation,
                lambda shorter: encode_prompt(self, shorter, images),
                budget=max(1, budget - answer_tokens(self, conversation, answer)),
                side=self.limits.side,
            )

        try:
            return fitting(said)
        except TooLongError:
            return fitting("")

    def batch(
        self, rows: Sequence[Encoded], *, side: Literal["left", "right"]
    ) -> dict[str, torch.Tensor]:
        """Encoded rows as one batch, padded on one side; see `collate`."""
        return collate(self, rows, side=side)

    def training_batch(self, rows: Sequence[Encoded]) -> dict[str, torch.Tensor]:
        """Encoded rows as one batch to train on."""
        return collate(self, rows, side="right")


def _most_tokens(answer: str) -> int:
    """No answer has more, its end included: a character is at most four bytes, each a token."""
    return 4 * len(answer) + 64
