"""Tokens are counted from the size of a picture, and are those that the processor makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from PIL import Image

from kolm_cli.encoding.encoded import RowError
from kolm_cli.families.cambrian import Cambrian
from tests.support.cases import Case

SIZES = [(48, 40), (120, 30), (30, 90), (57, 211), (333, 250), (4, 60), (28, 28)]


def attempt(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except RowError as error:
        return str(error)


@pytest.mark.parametrize("prompt", [True, False], ids=["asked", "trained"])
def test_what_is_counted_is_what_the_processor_makes(pictured: Case, prompt: bool) -> None:
    encoder = pictured.encoder(None)
    groups = [[size] for size in SIZES]
    if pictured.family.takes.several_images:
        groups.append(SIZES[:3])
    for sizes in groups:
        row = pictured.row(("What is it?", "This."), images=sizes)
        whole = attempt(lambda row=row: (encoder.prompt if prompt else encoder.training)(row))
        counted = attempt(lambda row=row, sizes=sizes: encoder.counted(row, sizes, prompt=prompt))
        if isinstance(whole, str):
            assert counted == whole
            continue
        assert torch.equal(counted.sequence["input_ids"], whole.sequence["input_ids"]), sizes
        assert counted.picture_tokens == whole.picture_tokens
        assert sum(counted.picture_tokens) == counted.image_tokens == whole.image_tokens
        assert counted.located == whole.located
        if whole.labels is not None:
            assert torch.equal(counted.labels, whole.labels)


def _of_features(case: Case, size: tuple[int, int]) -> tuple[int, int] | int | None:
    """What a processor's own tensors say of the size, or of the number of tiles."""
    processor = case.processor
    images = processor.image_processor
    row = case.row(("Q", "A"), images=[size])
    features = case.encode(row).images
    if "image_grid_thw" in features:
        _, rows, columns = features["image_grid_thw"][0].tolist()
        return columns * images.patch_size, rows * images.patch_size
    if case.family.name in ("pixtral", "mistral3", "phi3_v", "phi4_multimodal"):
        height, width = features["image_sizes"][0].tolist()
        return width, height
    if case.family.name in ("idefics3", "smolvlm", "internvl"):
        # One view of the whole, where there are several tiles.
        return max(1, len(features["pixel_values"]) - 1)
    if case.family.name in ("llava", "gemma3", "paligemma"):
        height, width = features["pixel_values"].shape[-2:]
        return width, height
    return None


def test_the_size_that_is_shown_is_that_of_the_tensors(pictured: Case) -> None:
    tried = 0
    for size in SIZES:
        try:
            found = _of_features(pictured, size)
        except RowError:
            continue
        shown = pictured.family.shown(pictured.processor, size)
        tried += found is not None
        if isinstance(found, int):
            tile = {"idefics3": "max_image_size", "smolvlm": "max_image_size"}
            given = getattr(
                pictured.processor.image_processor, tile.get(pictured.family.name, "size")
            )
            sides = given if isinstance(given, dict) else vars(given)
            side = sides.get("longest_edge") or sides["height"]
            assert shown[0] * shown[1] == found * side * side
        elif found is not None:
            assert shown == found
    no_size_in_them = ("llava_next", "llava_onevision")
    assert tried or pictured.family.name in no_size_in_them or isinstance(pictured.family, Cambrian)


def test_counting_needs_no_pixels(new_case: Callable[..., Case]) -> None:
    """A picture of 60 megapixels is counted without memory for it."""
    case = new_case("qwen2_5_vl")
    sketch = case.family.sketch((10_000, 6_000))
    assert sketch.is_meta
    row = case.row(("Q", "A"))
    assert case.encoder(None).counted(row, [(10_000, 6_000)], prompt=False).image_tokens > 0
    assert isinstance(new_case("phi3_v").family.sketch((9, 9)), Image.Image)
