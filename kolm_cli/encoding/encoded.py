"""What encoding a row gives: tensors of one row, not yet batched."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from kolm_cli.encoding.located import NOWHERE, Located

# The label of a token that carries no loss.
IGNORE = -100


class RowError(ValueError):
    """A row cannot be used; the message says why, the caller knows which."""


class TooLongError(RowError):
    """Images and answers alone need more tokens than there are."""


@dataclass(frozen=True)
class Encoded:
    """One row, ready to be batched.

    Attributes:
        sequence: per-token tensors of shape [tokens]: `input_ids`, `attention_mask`, ….
        images: image tensors as the processor gives them, their first dimension counting images,
            patches or crops.
        labels: [tokens], the token id where it is supervised, -100 elsewhere; None for prompts.
        image_tokens: how many tokens are for images, their row and column marks included.
        cut: how many prompt tokens were cut to fit, 0 for none.
        system_cut: whether text of the system prompt is among them.
        picture_tokens: how many tokens are for each image, in order.
        row: the id of the row.
        located: the sizes of its pictures, which map boxes in an answer back to the originals.
    """

    sequence: dict[str, torch.Tensor]
    images: dict[str, torch.Tensor]
    labels: torch.Tensor | None
    image_tokens: int
    cut: int = 0
    system_cut: bool = False
    picture_tokens: tuple[int, ...] = ()
    located: Located = NOWHERE
    row: str = ""

    @property
    def tokens(self) -> int:
        """The number of tokens."""
        return int(self.sequence["input_ids"].shape[0])

    @property
    def nbytes(self) -> int:
        """The size of all its tensors in bytes."""
        return sum(t.nbytes for t in (*self.sequence.values(), *self.images.values()))

    @property
    def supervised(self) -> int:
        """The number of tokens that carry loss."""
        return 0 if self.labels is None else int((self.labels != IGNORE).sum())
