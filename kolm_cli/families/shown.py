"""The size at which a picture is shown to a model, from the picture's own size alone.

Each function takes a family's image processor and the width and height of an upright picture, and
gives the width and height that the tower sees.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kolm_cli.families.coordinates import Size

Rule = Callable[[Any, Size], Size]


def merged_patches(processor: Any, size: Size) -> Size:
    """Qwen-VL: sides are whole patches, merged two by two, within limits on the area."""
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

    height, width = smart_resize(
        size[1],
        size[0],
        factor=processor.patch_size * processor.merge_size,
        min_pixels=processor.size["shortest_edge"],
        max_pixels=processor.size["longest_edge"],
    )
    return width, height
