"""Images as tiles of a fixed size and one view of the whole."""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image
from torch.nn import functional
from torchvision.transforms import functional as transforms
from transformers.image_processing_utils import BatchFeature
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD
from transformers.processing_utils import ImagesKwargs

from kolm_cli.families.native.phi3_v.hd_transform import count_tokens, lay_out
from kolm_cli.families.native.pil_images import PilImageProcessor


class Phi3VImagesKwargs(ImagesKwargs, total=False):  # type: ignore[call-arg]
    """What the processor takes beside the common options.

    Attributes:
        num_crops: how many tiles an image may have.
        num_img_tokens: tokens of one tile.
        tile_size: side of a tile, pixels.
    """

    num_crops: int
    num_img_tokens: int
    tile_size: int


class Phi3VImageProcessor(PilImageProcessor):
    """The HD transform.

    An image is scaled so that it covers at most `num_crops` tiles, padded with white above and
    below to whole tiles, and cut; a bicubic view of the padded whole comes first. Scaling is
    PIL's bilinear one, as in the published code.
    """

    image_mean = OPENAI_CLIP_MEAN
    image_std = OPENAI_CLIP_STD
    num_crops = 4
    num_img_tokens = 144
    tile_size = 336
    valid_kwargs = Phi3VImagesKwargs
    model_input_names = ["pixel_values", "image_sizes"]  # noqa: RUF012  # the library's own form

    def _preprocess(
        self,
        images: list[Image.Image],
        *,
        num_crops: int,
        num_img_tokens: int,
        tile_size: int,
        image_mean: Any,
        image_std: Any,
        return_tensors: Any = None,
        **options: Any,
    ) -> BatchFeature:
        """Tiles of each image.

        Returns:
            `pixel_values` [images, 1 + most tiles, 3, tile, tile], the whole view first and zeros
            where an image has fewer tiles; `image_sizes` [images, 2], height and width of the
            padded image in pixels; `num_img_tokens`, one number an image.
        """
        views, sizes, tokens = [], [], []
        for image in images:
            layout = lay_out(*image.size, tile=tile_size, most=num_crops)
            rows, columns = layout.rows, layout.columns
            padded = transforms.to_tensor(_fit(image, tile_size, num_crops))
            pixels = transforms.normalize(padded, list(image_mean), list(image_std))
            views.append(_cut(pixels, rows, columns, tile_size))
            sizes.append([rows * tile_size, columns * tile_size])
            tokens.append(count_tokens(rows, columns, num_img_tokens))
        most = max(len(view) for view in views)
        padded_views = [
            functional.pad(view, (0, 0, 0, 0, 0, 0, 0, most - len(view))) for view in views
        ]
        data = {
            "pixel_values": torch.stack(padded_views),
            "image_sizes": torch.tensor(sizes),
            "num_img_tokens": tokens,
        }
        return BatchFeature(data=data, tensor_type=return_tensors)


def _fit(image: Image.Image, tile: int, most: int) -> Image.Image:
    """The image at its scale, padded with white to whole tiles."""
    layout = lay_out(*image.size, tile=tile, most=most)
    if layout.transposed:
        image = image.transpose(Image.Transpose.TRANSPOSE)
    scaled = image.resize((layout.width, layout.height), Image.Resampling.BILINEAR)
    short = layout.columns if layout.transposed else layout.rows
    canvas = Image.new("RGB", (layout.width, short * tile), "white")
    canvas.paste(scaled, (0, (canvas.height - scaled.height) // 2))
    return canvas.transpose(Image.Transpose.TRANSPOSE) if layout.transposed else canvas


def _cut(pixels: torch.Tensor, rows: int, columns: int, tile: int) -> torch.Tensor:
    """The whole view, then the tiles row by row.

    Args:
        pixels: [3, rows * tile, columns * tile].
        rows: of tiles.
        columns: of tiles.
        tile: side of a tile, pixels.

    Returns:
        [1 + rows * columns, 3, tile, tile].
    """
    tiles = pixels.reshape(3, rows, tile, columns, tile).permute(1, 3, 0, 2, 4).flatten(0, 1)
    whole = functional.interpolate(pixels[None], size=(tile, tile), mode="bicubic")
    return torch.cat([whole, tiles])


__all__ = ["Phi3VImageProcessor"]
