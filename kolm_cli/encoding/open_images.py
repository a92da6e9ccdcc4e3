"""Decoding the images of a row."""

from __future__ import annotations

from PIL import Image as PILImage

from kolm_cli.core.errors import InputError
from kolm_cli.dataset.leakage import PixelDigests
from kolm_cli.encoding.encoded import RowError
from kolm_cli.records.pictures import ImageError, decode_rgb
from kolm_cli.records.row import Row


def open_images(row: Row, pixels: PixelDigests | None = None) -> list[PILImage.Image]:
    """The row's images in their order, decoded; `pixels` is told of each.

    Raises:
        RowError: one of them cannot be decoded.
    """
    images = []
    for sha256 in row.conversation.images:
        source = row.images[sha256]
        try:
            images.append(decode_rgb(source.read()))
            if pixels is not None:
                pixels.note(sha256, images[-1])
        except (ImageError, InputError, OSError) as error:
            name = source.path.name if source.path else sha256[:12]
            raise RowError(f"its image {name} cannot be read: {error}") from error
    return images
