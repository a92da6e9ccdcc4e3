"""Reading an image from outside: hostile until decoded in full, then plain RGB."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from kolm_cli.core import digests

# A decompression bomb is small on disk and huge in memory; 64 Mpx is 192 MB as RGB.
MAX_PIXELS = 64 * 1024 * 1024
MAX_BYTES = 64 * 1024 * 1024


# Formats of pictures only: Pillow also opens EPS, by running Ghostscript on it. HEIF is read where
# pillow-heif is installed.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "HEIF", "JPEG2000", "MPO")
# The others may turn or change the picture while it is decoded.
_SIZE_IN_HEADER = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "PPM", "MPO")
# EXIF orientations that swap width and height.
_ON_ITS_SIDE = (5, 6, 7, 8)
# What Pillow's decoders raise on damaged data.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    RuntimeError,
    TypeError,
    OverflowError,
    ZeroDivisionError,
    struct.error,
)


@functools.cache
def _formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this Pillow reads."""
    Image.init()
    with contextlib.suppress(ImportError):
        pillow_heif = importlib.import_module("pillow_heif")
        pillow_heif.register_heif_opener()
    return tuple(name for name in FORMATS if name in Image.OPEN)


class ImageError(ValueError):
    """The bytes are not an image that kolm reads; the message says why."""


@dataclass(frozen=True)
class ImageFacts:
    """What is known of an image's encoded bytes once they were decoded in full.

    Attributes:
        format: Pillow's name of the encoding (`PNG`, `JPEG`, ...).
        width: pixels across, after the EXIF orientation was applied.
        height: pixels down, after the EXIF orientation was applied.
        orientation: the EXIF orientation that `decode_rgb` undoes, 1 (upright) to 8.
        frames: images in the file; of several only the first is read.
    """

    format: str
    width: int
    height: int
    orientation: int
    frames: int


def inspect(data: bytes) -> ImageFacts:
    """Decode `data` in full, as `decode_rgb` does, and say what was found.

    Raises:
        ImageError: not an image, truncated, damaged, or beyond the limits.
    """
    upright = decode_rgb(data)
    with (
        _damage_named(),
        warnings.catch_warnings(),
        Image.open(io.BytesIO(data), formats=_formats()) as image,
    ):
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            value = image.getexif().get(ExifTags.Base.Orientation, 1)
        except _DAMAGE:
            value = 1
        orientation = value if isinstance(value, int) and 1 <= value <= 8 else 1
        try:
            frames = getattr(image, "n_frames", 1)
        except _DAMAGE as error:
            raise ImageError("damaged: its list of frames cannot be read") from error
        return ImageFacts(
            image.format or "?", upright.width, upright.height, orientation, int(frames)
        )


def decode_rgb(data: bytes) -> Image.Image:
    """Decode `data` in full and give it as RGB.

    EXIF orientation is applied, transparency is laid over white, the first frame of an
    animation is taken, 16-bit grey is scaled to 8 bit.

    Raises:
        ImageError: not an image, truncated, damaged, or beyond the limits.
    """
    if len(data) > MAX_BYTES:
        raise ImageError(f"{len(data)} bytes, more than the {MAX_BYTES} allowed")
    with _damage_named(), warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return as_rgb(Image.open(io.BytesIO(data), formats=_formats()))


def upright_size(data: bytes) -> tuple[int, int]:
    """Width and height of what `decode_rgb` gives, from the header where that says it.

    Raises:
        ImageError: not an image, or beyond the limits; damage behind the header is not noticed.
    """
    if len(data) > MAX_BYTES:
        raise ImageError(f"{len(data)} bytes, more than the {MAX_BYTES} allowed")
    with (
        _damage_named(),
        warnings.catch_warnings(),
        Image.open(io.BytesIO(data), formats=_formats()) as image,
    ):
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        if image.format not in _SIZE_IN_HEADER:
            return as_rgb(image).size
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) in _ON_ITS_SIDE
        return (image.height, image.width) if turned else image.size


def as_rgb(image: Image.Image) -> Image.Image:
    """`image`, as Pillow opened it, the way `decode_rgb` reads a file.

    Raises:
        ImageError: truncated, damaged, or beyond the limits.
    """
    with _damage_named():
        if image.width * image.height > MAX_PIXELS:
            raise ImageError(
                f"{image.width} x {image.height} pixels, more than the {MAX_PIXELS} allowed"
            )
        image.load()
        return _as_rgb(ImageOps.exif_transpose(image))


@contextlib.contextmanager
def _damage_named() -> Iterator[None]:
    """Whatever Pillow's decoders raise becomes an `ImageError`."""
    try:
        yield
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError("not an image in a format that Pillow reads") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError("a decompression bomb: far more pixels than its bytes suggest") from error
    except _DAMAGE as error:
        raise ImageError(f"damaged or truncated: {error}") from error


def _as_rgb(image: Image.Image) -> Image.Image:
    # A PNG without an alpha channel may still name one color that is transparent.
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if image.mode.startswith("I;16") or image.mode == "I":
        # Pillow clips 16-bit grey to white; scale it instead.
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def pixel_digest(image: Image.Image) -> str:
    """SHA-256 (hex) of the size and the pixels of what `decode_rgb` gave."""
    return digests.sha256_bytes(f"{image.width} {image.height}\n".encode() + image.tobytes())


def encode_png(image: Image.Image) -> bytes:
    """PNG bytes of `image`, without metadata: the form in which kolm digests a decoded image."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", image.size, image.convert("RGB").tobytes()).save(buffer, "PNG")
    return buffer.getvalue()
