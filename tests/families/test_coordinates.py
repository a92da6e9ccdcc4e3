"""Each family's way to write boxes and points, and back to the original's pixels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolm_cli.families import catalog, coordinates
from kolm_cli.families.coordinates import Coordinates, Size
from kolm_cli.scoring.boxes import found_in

CONVENTIONS = {
    family.name: family.coordinates
    for family in catalog.families()
    if family.coordinates is not None
}
PICTURE, SHOWN = (200, 100), (112, 56)


@pytest.mark.parametrize(
    ("family", "box", "point"),
    [
        ("qwen2_5_vl", "[6, 8, 50, 39]", "[6, 8]"),
        (
            "qwen2_vl",
            "<|box_start|>(50,150),(450,700)<|box_end|>",
            "<|box_start|>(50,150)<|box_end|>",
        ),
        ("qwen3_vl", "[50, 150, 450, 700]", "[50, 150]"),
        ("internvl", "<box>[[50, 150, 450, 700]]</box>", ""),
        ("paligemma", "<loc0154><loc0051><loc0717><loc0461>", ""),
    ],
)  # fmt: skip
def test_the_text_is_the_family_s(family: str, box: str, point: str) -> None:
    convention = CONVENTIONS[family]
    assert convention.write((10, 15, 90, 70), PICTURE, SHOWN) == box
    if point:
        assert convention.write((10, 15), PICTURE, SHOWN) == point
    else:
        with pytest.raises(ValueError, match="no points"):
            convention.write((10, 15), PICTURE, SHOWN)


def test_the_families_with_a_convention_each_name_their_source() -> None:
    assert set(CONVENTIONS) == {"qwen2_vl", "qwen2_5_vl", "qwen3_vl", "internvl", "paligemma"}
    assert all("section" in c.source or "documentation" in c.source for c in CONVENTIONS.values())


sizes = st.tuples(st.integers(1, 9000), st.integers(1, 9000))
shares = st.tuples(*[st.floats(0, 1)] * 4)


@pytest.mark.parametrize("family", CONVENTIONS)
@given(picture=sizes, shown=sizes, at=shares, several=st.integers(1, 3))
def test_round_trips_are_exact_to_half_a_unit(
    family: str, picture: Size, shown: Size, at: tuple[float, ...], several: int
) -> None:
    """Half a pixel of the picture that is shown, or half of a thousandth of a side."""
    convention: Coordinates = CONVENTIONS[family]
    values = (*(share * picture[i] for i, share in enumerate(at[:2])), *picture)
    written = f"It is at {convention.write(values, picture, shown)}." * several
    back = found_in(convention.read(written, lambda _: (picture, shown)))
    assert len(back) == several
    for index, (value, found) in enumerate(zip(values, back[0], strict=True)):
        side, end = picture[index % 2], convention.grid or shown[index % 2]
        half = 0.5 * side / end
        # The last bin begins one unit before the edge, where bins have names.
        allowed = 2 * half if convention.last is not None and value > side - 2 * half else half
        # `read` writes hundredths.
        assert abs(found - value) <= allowed + 0.0051


def test_what_a_model_writes_nearly_so_is_read_too() -> None:
    sizes = {0: (PICTURE, SHOWN), 1: ((1000, 1000), SHOWN)}
    qwen = coordinates.QWEN2_VL.read(
        "<|object_ref_start|>dog<|object_ref_end|><|box_start|>( 50, 150 ),(450,700.5)<|box_end|>"
        " and <|box_start|>(1,2)<|box_end|>, [1, 2]",
        sizes.__getitem__,
    )
    assert qwen == (
        "<|object_ref_start|>dog<|object_ref_end|>[10, 15, 90, 70.05] and [1, 2], [1, 2]"
    )
    assert coordinates.PALIGEMMA.read("<loc0512><loc0000><loc1023>", sizes.__getitem__) == (
        "<loc0512><loc0000><loc1023>"
    )
    assert coordinates.QWEN2_5_VL.read("[1, 2, 3]", sizes.__getitem__) == "[1, 2, 3]"
