"""The encoder: from a row to tensors, the same in preflight, in training and when answering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import torch

from kolm_cli.core import digests
from kolm_cli.core.versions import installed_versions
from kolm_cli.encoding.base_processor import BaseProcessor
from kolm_cli.encoding.collate import collate
from kolm_cli.encoding.encoded import Encoded, TooLongError
from kolm_cli.encoding.fitting import Side, encode_to_fit
from kolm_cli.encoding.fitting_images import fitting_limits
from kolm_cli.encoding.grounding import written
from kolm_cli.encoding.located import Located
from kolm_cli.encoding.open_images import open_images
from kolm_cli.encoding.sketching import without_warnings
from kolm_cli.encoding.tokenizing import answer_tokens, encode_prompt, encode_training
from kolm_cli.encoding.viewing import view
from kolm_cli.families.base import chat_template
from kolm_cli.families.coordinates import Size
from kolm_cli.families.image_limits import ImageLimits
from kolm_cli.families.resolve import Base
from kolm_cli.records.conversation import Conversation
from kolm_cli.records.row import Row

# Raised by hand when rows are counted in another way.
COUNTING = 1


@dataclass(frozen=True)
class Limits:
    """What a row may hold, None for no limit; and which side of the prompt is cut first.

    Attributes:
        max_tokens: prompt and answers together.
        max_images: images in a row.
        side: where cutting begins.
        fit: pictures are shown smaller before any text is cut.
    """

    max_tokens: int | None = None
    max_images: int | None = None
    side: Side = "prompt_start"
    fit: bool = False


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
            limits = replace(limits, fit=images.resize == "fit")
        return cls(base.family, processor, limits, loss_on, vocabulary=base.vocabulary)

    def training(self, row: Row) -> Encoded:
        """A row as it is trained on, cut to the limits.

        Raises:
            RowError: the row cannot be used, or does not fit.
        """
        images = open_images(row)
        return self._encoded(row, [image.size for image in images], images, prompt=False)

    def prompt(self, row: Row) -> Encoded:
        """A row up to its last answer, as the model sees it.

        It is cut where training would cut the row, so that the same row is asked as it was learned:
        its own answer counts, though it is not shown. Of a row without one, and of one whose answer
        leaves no room, the end token counts alone.

        Raises:
            RowError: the row cannot be asked, or does not fit.
        """
        images = open_images(row)
        return self._encoded(row, [image.size for image in images], images, prompt=True)

    def counted(self, row: Row, sizes: Sequence[Size], *, prompt: bool) -> Encoded:
        """What `training` or `prompt` would give, without the pixels of its images.

        Args:
            row: the row; its images are not read.
            sizes: width and height of each of them, upright.
            prompt: whether it is asked, or trained on.

        Raises:
            RowError: the row cannot be used, or does not fit.
        """
        sketches = [self.family.sketch(size) for size in sizes]
        with without_warnings():
            return self._encoded(row, sizes, sketches, prompt=prompt)

    def _encoded(
        self, row: Row, sizes: Sequence[Size], images: Sequence[Any], *, prompt: bool
    ) -> Encoded:
        if self.limits.fit and images and not any(row.conversation.wishes):
            limits = self._fitting(row, sizes, prompt=prompt)
            if limits is not None:
                smaller = self.family.limited(self.processor, limits)
                return replace(self, processor=smaller)._as_it_is(row, sizes, images, prompt=prompt)
        return self._as_it_is(row, sizes, images, prompt=prompt)

    def _as_it_is(
        self, row: Row, sizes: Sequence[Size], images: Sequence[Any], *, prompt: bool
    ) -> Encoded:
        """A row with its pictures as the processor and the row itself say."""
        seen = view(self, row.conversation, sizes)
        wanted = written(row.conversation, seen)
        if not prompt and self.loss_on == "last":
            wanted = wanted.learning_last()
        if prompt:
            encoded = self._prompt(seen.base, wanted, images)
        else:
            encoded = encode_to_fit(
                self,
                wanted,
                lambda conversation: encode_training(seen.base, conversation, images),
                budget=self.limits.max_tokens,
                side=self.limits.side,
            )
        located = Located.of(row.conversation, sizes, seen.shown)
        return replace(encoded, located=located, row=row.id)

    def _fitting(self, row: Row, sizes: Sequence[Size], *, prompt: bool) -> ImageLimits | None:
        """The limits that show a row's pictures as large as it fits uncut; None for the usual."""
        key = (row.digest, prompt)
        if key not in self._fitted:
            self._fitted[key] = fitting_limits(
                self, sizes, lambda encoder: encoder.counted(row, sizes, prompt=prompt).cut == 0
            )
        return self._fitted[key]

    @cached_property
    def _fitted(self) -> dict[tuple[str, bool], ImageLimits | None]:
        return {}

    def _prompt(
        self, base: BaseProcessor, conversation: Conversation, images: Sequence[Any]
    ) -> Encoded:
        encoded = encode_prompt(base, conversation, images)
        budget, said = self.limits.max_tokens, conversation.response
        if budget is None or encoded.tokens + _most_tokens(said) <= budget:
            return encoded

        def fitting(answer: str) -> Encoded:
            return encode_to_fit(
                base,
                conversation,
                lambda shorter: encode_prompt(base, shorter, images),
                budget=max(1, budget - answer_tokens(base, conversation, answer)),
                side=self.limits.side,
            )

        try:
            return fitting(said)
        except TooLongError:
            return fitting("")

    @cached_property
    def fingerprint(self) -> str:
        """Names everything that decides what is counted of a row."""
        tokenizer = self.tokenizer
        backend = getattr(tokenizer, "backend_tokenizer", None)
        images = getattr(self.processor, "image_processor", None)
        parts = [
            self.family.name,
            repr(self.family.coordinates),
            repr(self.limits),
            self.loss_on,
            str(installed_versions()),
            str(chat_template(self.processor)),
            type(self.processor).__name__,
            # Lengths of image sequences and the like are the processor's own.
            str({k: v for k, v in vars(self.processor).items() if isinstance(v, str | int)}),
            "" if images is None else str(images.to_json_string()),
            str(sorted(tokenizer.get_vocab().items())) if backend is None else backend.to_str(),
        ]
        return digests.sha256_json([COUNTING, *parts])

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
