"""One picture as each encoder is shown it."""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image
from torchvision.transforms import functional as transforms
from transformers.image_processing_utils import BatchFeature
from transformers.processing_utils import ImagesKwargs

from kolm_cli.families.native.cambrian.encoders import PUBLISHED
from kolm_cli.families.native.cambrian.windows import content_box
from kolm_cli.families.native.pil_images import PilImageProcessor

_ENCODERS = list(PUBLISHED.values())


class CambrianImagesKwargs(ImagesKwargs, total=False):  # type: ignore[call-arg]
    """What the processor takes beside the common options.

    Attributes:
        picture_sizes: side of each encoder's picture, pixels.
        means: of each encoder's channels.
        stds: of each encoder's channels.
        borders: of each encoder, the color around a picture that is not square, in [0, 1].
        grid_side: of the grid of queries.
    """

    picture_sizes: list[int]
    means: list[list[float]]
    stds: list[list[float]]
    borders: list[list[float]]
    grid_side: int


class CambrianImageProcessor(PilImageProcessor):
    """Pads a picture to a square and scales it, for each encoder in its own way.

    Scaling is PIL's bicubic one, as in the published code.
    """

    picture_sizes = [encoder.picture for encoder in _ENCODERS]  # noqa: RUF012
    means = [list(encoder.mean) for encoder in _ENCODERS]  # noqa: RUF012
    stds = [list(encoder.std) for encoder in _ENCODERS]  # noqa: RUF012
    borders = [list(encoder.border) for encoder in _ENCODERS]  # noqa: RUF012
    grid_side = 24
    valid_kwargs = CambrianImagesKwargs
    model_input_names = ["pixel_values", "image_sizes"]  # noqa: RUF012

    def _preprocess(
        self,
        images: list[Image.Image],
        *,
        picture_sizes: list[int],
        means: list[list[float]],
        stds: list[list[float]],
        borders: list[list[float]],
        grid_side: int,
        return_tensors: Any = None,
        **options: Any,
    ) -> BatchFeature:
        """Each image, once an encoder.

        Returns:
            `pixel_values` [images, values], the encoders' pictures one after the other, each
            [3, side, side] laid flat; `image_sizes` [images, 2], height and width in pixels;
            `num_img_tokens`, one number an image.
        """
        encoders = list(zip(picture_sizes, means, stds, borders, strict=True))
        rows, sizes, tokens = [], [], []
        for image in images:
            shown = []
            for side, mean, std, border in encoders:
                squared = _square(image, border).resize((side, side), Image.Resampling.BICUBIC)
                pixels = transforms.normalize(transforms.to_tensor(squared), mean, std)
                shown.append(pixels.flatten())
            rows.append(torch.cat(shown))
            sizes.append([image.height, image.width])
            top, bottom, left, right = content_box(image.height, image.width, grid_side)
            tokens.append((bottom - top) * (right - left + 1))
        data = {
            "pixel_values": torch.stack(rows),
            "image_sizes": torch.tensor(sizes),
            "num_img_tokens": tokens,
        }
        return BatchFeature(data=data, tensor_type=return_tensors)


def _square(image: Image.Image, border: list[float]) -> Image.Image:
    """The picture in the middle of a square of its longer side."""
    side = max(image.size)
    red, green, blue = (int(value * 255) for value in border)
    canvas = Image.new("RGB", (side, side), (red, green, blue))
    canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return canvas


__all__ = ["CambrianImageProcessor"]
