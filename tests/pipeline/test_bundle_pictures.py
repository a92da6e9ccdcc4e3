"""A bundle's processor shows pictures as its spec asks, and differences from the base are said."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from kolm_cli.core.errors import VerificationError
from kolm_cli.families.image_limits import ImageLimits
from kolm_cli.pipeline.bundle_processor import _as_asked, _note_other_pictures
from tests.support.cases import Case, Notes

NOTHING = {"min_pixels": None, "max_pixels": None, "longest_edge": None}


def asking(**limits: int) -> Any:
    return SimpleNamespace(spec={"data": {"images": {**NOTHING, **limits}}})


@pytest.mark.parametrize(
    ("family", "limits"),
    [
        ("qwen2_5_vl", {"max_pixels": 1568}),
        ("qwen3_vl", {"min_pixels": 1024, "max_pixels": 4096}),
        ("idefics3", {"longest_edge": 28}),
        ("llava_next", {"max_pixels": 1568}),
        ("internvl", {"max_pixels": 784}),
        ("pixtral", {"longest_edge": 28}),
    ],
)
def test_the_limits_of_the_spec_are_those_of_the_processor(
    new_case: Callable[..., Case], family: str, limits: dict[str, int]
) -> None:
    case, files = new_case(family), asking(**limits)
    kept = case.family.limited(case.processor, ImageLimits.of(limits))
    _as_asked(kept, files, case.base)
    _as_asked(case.processor, asking(), case.base)
    with pytest.raises(VerificationError, match="does not show pictures as its spec asks"):
        _as_asked(case.processor, files, case.base)


def notes(case: Case, own: Any, theirs: Any, files: Any) -> list[str]:
    said = Notes()
    _note_other_pictures(own, theirs, files, case.base, said)
    return said.notes


def test_what_the_base_here_would_show_otherwise_is_said(new_case: Callable[..., Case]) -> None:
    case, files = new_case("qwen2_5_vl"), asking(max_pixels=1568)
    kept = case.family.limited(case.processor, ImageLimits(max_pixels=1568))
    assert notes(case, kept, case.processor, files) == []
    larger = case.family.limited(case.processor, ImageLimits(max_pixels=784, min_pixels=784))
    (note,) = notes(case, larger, case.processor, asking())
    assert note.startswith("the base here shows a picture of 640 x 480 at ")
    assert "the bundle at 28 x 28; pictures are shown as the bundle does" in note
    other = case.family.limited(case.processor, ImageLimits(max_pixels=1568))
    other.image_processor.image_mean = [0.0, 0.0, 0.0]
    (note,) = notes(case, other, case.processor, files)
    assert "scales colors in another way" in note
    other.image_processor.patch_size = 0
    (note,) = notes(case, other, case.processor, files)
    assert "cannot say how it shows them" in note
