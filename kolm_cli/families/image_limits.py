"""How large pictures are shown to a model: one setting of the spec, many of processors.

Each family says which limits it takes and how its image processor is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from kolm_cli.core.errors import InputError, Problem

LimitName = Literal["min_pixels", "max_pixels", "longest_edge"]


@dataclass(frozen=True)
class ImageLimits:
    """What is asked for; None leaves the base's own setting.

    Attributes:
        min_pixels: smaller pictures are enlarged to this many pixels.
        max_pixels: larger pictures are shrunk to this many pixels, or shown in fewer tiles.
        longest_edge: the longer side of a picture, in pixels.
        resize: `fit` shows the pictures of a row that is too long smaller, so that it fits.
    """

    min_pixels: int | None = None
    max_pixels: int | None = None
    longest_edge: int | None = None
    resize: Literal["processor", "fit"] = "processor"

    @classmethod
    def of(cls, given: Mapping[str, int]) -> ImageLimits:
        """The limits with these names."""
        return cls(given.get("min_pixels"), given.get("max_pixels"), given.get("longest_edge"))

    @property
    def given(self) -> dict[str, int]:
        """The limits that are set, by name."""
        return {n: v for n, v in asdict(self).items() if v is not None and n != "resize"}


@dataclass(frozen=True)
class ImageSizing:
    """How a family's image processor is told about limits.

    Attributes:
        takes: the limits that mean something to it.
        token_pixels: pixels that make one image token; 0 where that depends on the picture.
        each: the pictures of a row may differ in their limits, and ask for an exact size.
        apply: sets them on an image processor; raises `ValueError` for what cannot be, with the
            least or the possible values in its message.
    """

    takes: tuple[LimitName, ...]
    apply: Callable[[Any, ImageLimits], None]
    token_pixels: int = 0
    each: bool = False

    @property
    def largest(self) -> LimitName:
        """The limit that shows pictures smaller."""
        [name] = [name for name in self.takes if name != "min_pixels"]
        return name


def limit_images(
    family: str, sizing: ImageSizing | None, processor: Any, limits: ImageLimits
) -> None:
    """Set `limits` on a processor.

    Raises:
        InputError: the family does not take one of them, or a value cannot be.
    """
    given = limits.given
    if limits.resize == "fit" and sizing is None:
        given = {**given, "resize": 0}
    if not given:
        return
    takes = sizing.takes if sizing else ()
    problems = [
        Problem(
            f"{family} does not take it",
            where=f"data.images.{name}",
            fix=f"it takes {', '.join(takes)}" if takes else "it shows every picture at one size",
        )
        for name in given
        if name not in takes
    ]
    if problems or sizing is None:
        raise InputError(*problems)
    try:
        sizing.apply(processor.image_processor, limits)
    except ValueError as error:
        fix = "write a value that the base can show, or leave it out for the base's own"
        raise InputError(Problem(str(error), "data.images", fix)) from error


def _edges(processor: Any) -> dict[str, int]:
    """The processor's `size` as a dictionary of what is set."""
    size = processor.size
    items = dict(size) if isinstance(size, dict) else asdict(size)
    return {key: int(value) for key, value in items.items() if value is not None}


def _pixels(processor: Any, limits: ImageLimits) -> None:
    """Qwen-VL: patches are merged, so that a side is a multiple of both."""
    size = _edges(processor)
    unit = (processor.patch_size * processor.merge_size) ** 2
    least, most = (
        limits.min_pixels or size["shortest_edge"],
        limits.max_pixels or size["longest_edge"],
    )
    if limits.min_pixels is None:
        # The base's own least is no wish of the user's.
        least = min(least, most)
    if least > most:
        raise ValueError(f"min_pixels {least} is above max_pixels {most}")
    if most < unit:
        raise ValueError(f"max_pixels {most} is less than one token's {unit} pixels")
    processor.size = {**size, "shortest_edge": least, "longest_edge": most}


def _longest_edge(processor: Any, limits: ImageLimits) -> None:
    """Pixtral: the picture is shrunk until its longer side fits."""
    processor.size = {**_edges(processor), "longest_edge": limits.longest_edge}


def _longest_edge_of_tiles(processor: Any, limits: ImageLimits) -> None:
    """Idefics3: the picture is resized, and shown in tiles of one size."""
    tile = int(processor.max_image_size["longest_edge"])
    if limits.longest_edge is not None and limits.longest_edge < tile:
        raise ValueError(f"longest_edge {limits.longest_edge} is less than one tile's {tile}")
    processor.size = {**_edges(processor), "longest_edge": limits.longest_edge}


def _pinpoints(processor: Any, limits: ImageLimits) -> None:
    """LLaVA-NeXT: a picture takes the best of the sizes in a list."""
    areas = {h * w for h, w in processor.image_grid_pinpoints}
    kept = [
        [h, w] for h, w in processor.image_grid_pinpoints if h * w <= (limits.max_pixels or h * w)
    ]
    if not kept:
        raise ValueError(
            f"max_pixels {limits.max_pixels} is less than the smallest grid's {min(areas)}"
        )
    processor.image_grid_pinpoints = kept


def _tiles(attribute: str, area: Callable[[Any], int]) -> Callable[[Any, ImageLimits], None]:
    """InternVL and Phi: a picture is shown in at most so many tiles of one size."""

    def apply(processor: Any, limits: ImageLimits) -> None:
        tile = area(processor)
        count = (limits.max_pixels or tile) // tile
        if count < 1:
            raise ValueError(f"max_pixels {limits.max_pixels} is less than one tile's {tile}")
        setattr(processor, attribute, count)

    return apply


def _tile_area(processor: Any) -> int:
    size = _edges(processor)
    return size["height"] * size["width"]


def _square_tile_area(processor: Any) -> int:
    side: int = processor.tile_size
    return side * side


# Patches of 14 or 16 pixels, merged two by two.
PIXELS_28 = ImageSizing(("min_pixels", "max_pixels"), _pixels, token_pixels=28 * 28, each=True)
PIXELS_32 = ImageSizing(("min_pixels", "max_pixels"), _pixels, token_pixels=32 * 32, each=True)
LONGEST_EDGE = ImageSizing(("longest_edge",), _longest_edge)
LONGEST_EDGE_OF_TILES = ImageSizing(("longest_edge",), _longest_edge_of_tiles)
PINPOINTS = ImageSizing(("max_pixels",), _pinpoints)
MAX_PATCHES = ImageSizing(("max_pixels",), _tiles("max_patches", _tile_area))
DYNAMIC_HD = ImageSizing(("max_pixels",), _tiles("dynamic_hd", _tile_area))
NUM_CROPS = ImageSizing(("max_pixels",), _tiles("num_crops", _square_tile_area))
