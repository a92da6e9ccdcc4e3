"""Leakage: what is evaluated must not have been trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from PIL import Image

from kolm_cli.core.errors import KolmError, Problem
from kolm_cli.records.images import ImageSource
from kolm_cli.records.pictures import ImageError, decode_rgb, pixel_digest
from kolm_cli.records.row import Row

_FIX = (
    "evaluate on images that are not trained on, or split a namespace with"
    " capture:NS@train and capture:NS@eval"
)


class PixelDigests:
    """Digests of decoded pixels, by the SHA-256 of the encoded bytes.

    Whoever decodes an image anyway hands it to `note`; only what nobody decoded is decoded here.
    Memory: 200 bytes an image.
    """

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def note(self, sha256: str, image: Image.Image) -> None:
        """Remember an image, as `decode_rgb` gave it."""
        if sha256 not in self._known:
            self._known[sha256] = pixel_digest(image)

    def of(self, sha256: str, source: ImageSource) -> str:
        """The digest of the pixels; `sha256` itself when the image cannot be read."""
        if sha256 not in self._known:
            try:
                self.note(sha256, decode_rgb(source.read()))
            except (ImageError, KolmError, OSError):
                return sha256  # Whoever reads the row names it.
        return self._known[sha256]


def leaks(
    train: Sequence[Row], evaluation: Sequence[Row], pixels: PixelDigests | None = None
) -> Iterator[Problem]:
    """A problem for every evaluation row that shows a picture of a training row.

    The same decoded pixels are the same picture, however they were saved. A row without images
    leaks when a training row has the same prompt.

    Args:
        train: the training rows.
        evaluation: the evaluation rows.
        pixels: what is known of their images already.
    """
    pixels = pixels or PixelDigests()
    files = {sha256: row.id for row in train for sha256 in row.conversation.images}
    pictures = {
        pixels.of(sha256, source): row.id for row in train for sha256, source in row.images.items()
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
            found = pictures.get(pixels.of(sha256, row.images[sha256]))
            if found is not None:
                what = (
                    f"its image {sha256[:12]} is also in the training row {found}: another file,"
                    " the same pixels"
                )
                yield Problem(what, row.id, _FIX, "leaked-pixels")
                break


def _prompt(row: Row) -> str:
    return "\0".join(f"{m.role}:{m.text}" for m in row.conversation.messages[:-1])
