"""How a row's own wishes about the size of its pictures are met, as Qwen's row format has them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image as PILImage

from kolm_cli.core.errors import InputError
from kolm_cli.families.coordinates import Size
from kolm_cli.families.image_limits import ImageLimits

if TYPE_CHECKING:
    from kolm_cli.families.base import Family

# What an image of a row may say. Two of them together ask for one size.
EXACT = ("resized_height", "resized_width")
NAMES = ("min_pixels", "max_pixels", *EXACT)

Wish = Mapping[str, int]


def processor_for(
    family: Family, processor: Any, wishes: Sequence[Wish], sizes: Sequence[Size]
) -> tuple[Any, list[Size]]:
    """A processor that shows the pictures of one row as they ask, and the sizes that it shows.

    Args:
        family: says which wishes its processor can meet.
        processor: shows pictures as the spec says.
        wishes: of each picture of the row; at least one is not empty.
        sizes: width and height of each picture, upright.

    Raises:
        ValueError: the family does not take such a wish, or it cannot be.
    """
    sizing = family.image_sizing
    takes: tuple[str, ...] = sizing.takes if sizing else ()
    each = sizing is not None and sizing.each
    known = {*takes, *(EXACT if each else ())}
    asked = {name: None for wish in wishes for name in wish}
    for name in asked:
        if name not in known:
            can = (
                f"takes {', '.join(sorted(known))}" if known else "shows every picture at one size"
            )
            raise ValueError(f"an image of it asks for {name}, and {family.name} {can}")
    if not each:
        if any(dict(wish) != dict(wishes[0]) for wish in wishes):
            raise ValueError(
                f"its images ask for different sizes, and {family.name} takes one limit for a row"
            )
        limited = _limited(family, processor, wishes[0])
        return limited, [family.shown(limited, size) for size in sizes]
    pictures, shown = [], []
    for wish, size in zip(wishes, sizes, strict=True):
        target = _exact(processor, wish)
        limits = {k: v for k, v in wish.items() if k not in EXACT}
        if target is not None:
            if limits:
                raise ValueError("an image of it asks for one size and for limits on it")
            # The picture is of that size when the processor is shown it.
            limits = dict.fromkeys(("min_pixels", "max_pixels"), target[0] * target[1])
        limited = _limited(family, processor, limits) if limits else processor
        pictures.append(_Picture(limited.image_processor, target))
        shown.append(family.shown(limited, target or size))
    copied = copy.copy(processor)
    copied.image_processor = EachItsOwn(processor.image_processor, pictures)
    return copied, shown


def _limited(family: Family, processor: Any, limits: Wish) -> Any:
    try:
        return family.limited(processor, ImageLimits.of(limits))
    except InputError as error:
        raise ValueError(error.problems[0].what) from error


def _exact(processor: Any, wish: Wish) -> Size | None:
    """The size that is asked for, in whole patches."""
    given = [name for name in EXACT if name in wish]
    if not given:
        return None
    if len(given) == 1:
        raise ValueError(f"an image of it asks for {given[0]} alone; both are needed")
    images = processor.image_processor
    unit = images.patch_size * images.merge_size
    height, width = (max(unit, round(wish[name] / unit) * unit) for name in EXACT)
    return width, height


@dataclass(frozen=True)
class _Picture:
    """One picture's own image processor, and the size that it is brought to before."""

    processor: Any
    size: Size | None

    def resized(self, image: Any) -> Any:
        if self.size is None:
            return image
        if isinstance(image, PILImage.Image):
            return image.resize(self.size, PILImage.Resampling.BICUBIC)
        # A sketch of it.
        return image.new_empty((image.shape[0], self.size[1], self.size[0]))


class EachItsOwn:
    """An image processor that shows each picture of a row by settings of its own."""

    def __init__(self, own: Any, pictures: Sequence[_Picture]) -> None:
        self._own, self._pictures = own, pictures

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_own" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self._own, name)

    def __call__(self, images: Any, **options: Any) -> Any:
        """The pictures one by one, their tensors joined."""
        import torch
        from transformers.image_processing_utils import BatchFeature
        from transformers.image_utils import make_flat_list_of_images

        flat = make_flat_list_of_images(images)
        found = [
            picture.processor([picture.resized(image)], **options)
            for picture, image in zip(self._pictures, flat, strict=True)
        ]
        return BatchFeature({name: torch.cat([f[name] for f in found]) for name in found[0]})
