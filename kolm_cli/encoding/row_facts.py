"""What preflight found out about a row: its tokens, and how its pictures are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kolm_cli.dataset.picture_book import Picture
from kolm_cli.encoding.encoded import Encoded
from kolm_cli.families.coordinates import Size


@dataclass(frozen=True)
class PictureShown:
    """How one image of a row is shown.

    Attributes:
        pixels: the SHA-256 of the decoded picture.
        size: width and height of the original, upright.
        shown: width and height at which the model sees it; None where that is not known.
        tokens: how many tokens are for it.
    """

    pixels: str
    size: Size
    shown: Size | None
    tokens: int


@dataclass(frozen=True)
class RowFacts:
    """What preflight found out about one row, in tokens.

    Attributes:
        pictures: its images, in order.
    """

    id: str
    tokens: int
    image_tokens: int
    supervised: int
    cut: int
    pictures: tuple[PictureShown, ...] = ()

    system_cut: bool = False

    @classmethod
    def of(
        cls, id: str, encoded: Encoded, book: Sequence[Picture], *, sized: bool = True
    ) -> RowFacts:
        """The counts of an encoded row.

        Args:
            id: the row's id.
            encoded: the row, or what was counted of it.
            book: what is known of its images.
            sized: whether it is known at which sizes the family shows pictures.
        """
        pictures = tuple(
            PictureShown(picture.pixels, picture.size, shown if sized else None, tokens)
            for picture, shown, tokens in zip(
                book, encoded.located.shown, encoded.picture_tokens, strict=True
            )
        )
        counts = (encoded.tokens, encoded.image_tokens, encoded.supervised, encoded.cut)
        return cls(id, *counts, pictures, encoded.system_cut)

    @property
    def shown(self) -> list[dict[str, Any]]:
        """How its images are shown, as the dataset's record says it."""
        return [
            {
                "pixels": picture.pixels,
                "size": list(picture.size),
                "shown": picture.shown and list(picture.shown),
                "tokens": picture.tokens,
            }
            for picture in self.pictures
        ]

    def as_json(self) -> list[Any]:
        """What `from_json` reads again; without the id."""
        pictures = [[p.pixels, p.size, p.shown, p.tokens] for p in self.pictures]
        counts = [self.tokens, self.image_tokens, self.supervised, self.cut]
        return [*counts, pictures, self.system_cut]

    @classmethod
    def from_json(cls, id: str, value: Any) -> RowFacts | None:
        """The facts that were remembered of a row, whose id may be another now.

        None when they are of another form: a damaged memo costs time, nothing else.
        """
        try:
            *counts, pictures, system_cut = value
            shown = tuple(
                PictureShown(pixels, (size[0], size[1]), seen and (seen[0], seen[1]), tokens)
                for pixels, size, seen, tokens in pictures
            )
            tokens, image_tokens, supervised, cut = counts
        except (TypeError, ValueError, LookupError):
            return None
        numbers = [*counts, *(n for p in shown for n in (*p.size, *(p.shown or ()), p.tokens))]
        fits = all(type(number) is int and number >= 0 for number in numbers)
        if not fits or not all(isinstance(p.pixels, str) for p in shown):
            return None
        return cls(id, tokens, image_tokens, supervised, cut, shown, system_cut is True)
