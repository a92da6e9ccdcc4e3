"""The size at which a picture is shown to a model, from the picture's own size alone.

Each function takes a family's processor and the width and height of an upright picture, and gives
the width and height that the tower sees. Where a picture is cut into tiles, that is the picture
that is cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from kolm_cli.families.coordinates import Size

Rule = Callable[[Any, Size], Size]


def _side(size: Any, name: str) -> int:
    """One entry of a processor's `size`, which is a mapping or an object."""
    value = size.get(name) if isinstance(size, dict) else getattr(size, name, None)
    return int(value or 0)


def _without_pixels(size: Size) -> Any:
    import torch

    return torch.empty((3, size[1], size[0]), device="meta")


def one_size(processor: Any, size: Size) -> Size:
    """LLaVA-1.5, Gemma 3, PaliGemma: every picture at the same size."""
    images = processor.image_processor
    given = images.crop_size if getattr(images, "do_center_crop", False) else images.size
    return _side(given, "width"), _side(given, "height")


def merged_patches(processor: Any, size: Size) -> Size:
    """Qwen-VL: sides are whole patches, merged two by two, within limits on the area."""
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

    images = processor.image_processor
    height, width = smart_resize(
        size[1],
        size[0],
        factor=images.patch_size * images.merge_size,
        min_pixels=_side(images.size, "shortest_edge"),
        max_pixels=_side(images.size, "longest_edge"),
    )
    return width, height


def patches_within_edge(processor: Any, size: Size) -> Size:
    """Pixtral: shrunk until its longer side fits, then to whole patches."""
    from transformers.models.pixtral import image_processing_pixtral as pixtral

    edge = _side(processor.image_processor.size, "longest_edge")
    unit = processor.patch_size * processor.spatial_merge_size
    height, width = pixtral.get_resize_output_image_size(
        _without_pixels(size), (edge, edge), (unit, unit), "channels_first"
    )
    return width, height


def split_tiles(processor: Any, size: Size) -> Size:
    """Idefics3: resized to whole tiles, or to one."""
    images = processor.image_processor
    tile = _side(images.max_image_size, "longest_edge")
    _, rows, columns = images.get_number_of_image_patches(size[1], size[0])
    return max(1, columns) * tile, max(1, rows) * tile


def within_grid(processor: Any, size: Size) -> Size:
    """LLaVA-NeXT: as large as it fits into the best of the grids."""
    from transformers.image_processing_utils import select_best_resolution

    height, width = select_best_resolution(
        (size[1], size[0]), processor.image_processor.image_grid_pinpoints
    )
    across, down = width / size[0], height / size[1]
    if across < down:
        return width, min(math.ceil(size[1] * across), height)
    return min(math.ceil(size[0] * down), width), height


def optimal_tiles(processor: Any, size: Size) -> Size:
    """InternVL: resized to the arrangement of tiles whose ratio is nearest."""
    from transformers.models.got_ocr2.image_processing_got_ocr2 import get_optimal_tiled_canvas

    images = processor.image_processor
    width, height = _side(images.size, "width"), _side(images.size, "height")
    columns, rows = get_optimal_tiled_canvas(
        (size[1], size[0]), (height, width), images.min_patches, images.max_patches
    )
    return columns * width, rows * height


def dynamic_hd(processor: Any, size: Size) -> Size:
    """Phi-4: scaled into whole tiles and padded; the padding counts."""
    images = processor.image_processor
    side = _side(images.size, "height")
    padded, _ = images.dynamic_preprocess(
        _without_pixels(size),
        side,
        images.patch_size,
        side // images.patch_size,
        max_num=images.dynamic_hd,
    )
    return int(padded.shape[-1]), int(padded.shape[-2])


def hd_transform(processor: Any, size: Size) -> Size:
    """Phi-3.5: scaled to a whole number of tiles across and padded; the padding counts."""
    from kolm_cli.families.native.phi3_v.hd_transform import lay_out

    images = processor.image_processor
    layout = lay_out(*size, tile=images.tile_size, most=images.num_crops)
    return layout.columns * images.tile_size, layout.rows * images.tile_size


def largest_encoder(processor: Any, size: Size) -> Size:
    """Cambrian: padded to a square, which the finest encoder sees at this size."""
    side = max(processor.image_processor.picture_sizes)
    return side, side
