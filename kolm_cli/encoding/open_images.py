"""Decoding the images of a row."""

from __future__ import annotations

from PIL import Image as PILImage

from kolm_cli.core.errors import InputError
from kolm_cli.encoding.encoded import RowError
from kolm_cli.records.images import ImageSource
from kolm_cli.records.pictures import ImageError, decode_rgb
from kolm_cli.records.row import Row


def open_images(row: Row) -> list[PILImage.Image]:
    """The row's images in their order, decoded.

    Raises:
        RowError: one of them cannot be decoded.
    """
    images = []
    for sha256 in row.conversation.images:
        source = row.images[sha256]
        try:
            images.append(decode_rgb(source.read()))
        except (ImageError, InputError, OSError) as error:
            raise unreadable(sha256, source, error) from error
    return images


def unreadable(sha256: str, source: ImageSource, error: Exception) -> RowError:
    """What is said of a row whose image cannot be read."""
    name = source.path.name if source.path else sha256[:12]
    return RowError(f"its image {name} cannot be read: {error}")
