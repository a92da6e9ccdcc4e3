"""Boxes are trained in the family's convention, and answers are mapped back to the original."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from kolm_cli.answering.answerer import Answerer
from kolm_cli.encoding.encoded import IGNORE
from kolm_cli.encoding.grounding import in_originals
from kolm_cli.encoding.located import Located
from kolm_cli.encoding.row_checks import check_rows
from kolm_cli.families.image_limits import ImageLimits
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.records.row import Row
from kolm_cli.scoring.boxes import found_in
from tests.support.cases import Case, Notes, picture

BOX = (10, 15, 90, 70)


def row(
    *boxes: tuple[float, ...], said: str = "<bbox>", asked: str = "Where is it?", **more: Any
) -> Row:
    record = {
        "image": picture(120, 112, 0),
        "prompt": asked,
        "response": said,
        "boxes": [list(box) for box in boxes],
    }
    return rows_from_python([record | more])[0]


def supervised(case: Case, given: Row) -> str:
    encoded = case.encoder().training(given)
    assert encoded.labels is not None
    return case.decode(encoded.labels[encoded.labels != IGNORE])


def test_boxes_are_trained_as_the_family_writes_them(pictured: Case) -> None:
    convention = pictured.family.coordinates
    problems = check_rows(pictured.encoder(), [row(BOX)], progress=Notes()).problems
    if convention is None:
        (problem,) = problems
        assert f"the authors of {pictured.family.name} do not say" in problem.what
        return
    assert not problems
    size = (120, 112)
    shown = pictured.family.shown(pictured.processor, size)
    text = supervised(pictured, row(BOX))
    assert text.startswith(convention.write(BOX, size, shown))
    prompt = pictured.encoder().prompt(row(BOX))
    (back,) = found_in(in_originals(pictured.family, text, prompt.located))
    for index, (value, found) in enumerate(zip(BOX, back, strict=True)):
        unit = size[index % 2] / (convention.grid or shown[index % 2])
        assert abs(value - found) <= unit / 2 + 0.01


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl", "internvl"])
def test_names_are_marked_where_the_family_marks_them(
    new_case: Callable[..., Case], family: str
) -> None:
    case = new_case(family)
    given = row(
        said="<ref-object> at <bbox>",
        boxes=None,
        objects={"ref": ["dog"], "bbox": [list(BOX)]},
    )
    marked = {
        "qwen2_vl": "<|object_ref_start|>dog<|object_ref_end|> at <|box_start|>(",
        "internvl": "<ref>dog</ref> at <box>[[",
    }
    assert supervised(case, given).startswith(marked.get(family, "dog at ["))


def test_a_point_is_refused_where_no_source_says_how(new_case: Callable[..., Case]) -> None:
    (problem,) = check_rows(
        new_case("internvl").encoder(), [row((10, 15))], progress=Notes()
    ).problems
    assert "it has a point" in problem.what
    assert supervised(new_case("qwen2_5_vl"), row((60, 56))).startswith("[56, 56]")


def test_boxes_follow_the_limits_and_the_exif_orientation(new_case: Callable[..., Case]) -> None:
    """A photo of 224 x 112 on its side: 112 x 224 upright, shown at half of that."""
    case = new_case("qwen2_5_vl")
    buffer = io.BytesIO()
    photo = picture(224, 112, 1)
    exif = photo.getexif()
    exif[0x0112] = 6
    photo.save(buffer, "JPEG", exif=exif)
    given = row((28, 56, 112, 224), image=buffer.getvalue())
    for limit, expected in ((112 * 224, "[28, 56, 112, 224]"), (56 * 112, "[14, 28, 56, 112]")):
        encoder = replace(case.encoder(), processor=copy.deepcopy(case.processor))
        case.family.limit_images(encoder.processor, ImageLimits(max_pixels=limit))
        labels = encoder.training(given).labels
        assert labels is not None
        assert case.decode(labels[labels != IGNORE]).startswith(expected)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_round_trips_over_odd_sizes_and_extreme_ratios(
    new_case: Callable[..., Case], data: st.DataObject
) -> None:
    """Within half a pixel of what is shown, and of the original where that is not larger."""
    case = new_case("qwen2_5_vl")
    short = data.draw(st.integers(1, 300))
    long = data.draw(st.integers(short, short * 199))
    size = data.draw(st.sampled_from([(short, long), (long, short)]))
    shown = case.family.shown(case.processor, size)
    convention = case.family.coordinates
    assert convention is not None
    left, top = data.draw(st.integers(0, size[0] - 1)), data.draw(st.integers(0, size[1] - 1))
    box = (left, top, size[0], size[1])
    located = Located((size,), (shown,), (0,))
    (back,) = found_in(in_originals(case.family, convention.write(box, size, shown), located))
    for index, (value, found) in enumerate(zip(box, back, strict=True)):
        scale = size[index % 2] / shown[index % 2]
        assert abs(value - found) <= 0.5 * scale + 0.01


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])
@pytest.mark.parametrize("size", [(28, 28), (29, 83), (300, 17), (13, 500), (640, 480), (1, 150)])
def test_the_size_that_is_shown_is_the_processor_s(
    new_case: Callable[..., Case], family: str, size: tuple[int, int]
) -> None:
    case = new_case(family)
    images = case.processor.image_processor
    grid = images([Image.new("RGB", size)], return_tensors="pt")["image_grid_thw"][0].tolist()
    expected = (grid[2] * images.patch_size, grid[1] * images.patch_size)
    assert case.family.shown(case.processor, size) == expected


def test_coordinates_in_a_prompt_are_cut_whole(new_case: Callable[..., Case]) -> None:
    case = new_case("qwen2_5_vl")
    given = row(BOX, asked="Long ago. <bbox> What is it?", said="A dog")
    whole = case.encoder(None).training(given)
    cut = case.encoder(whole.tokens - 14).training(given)
    assert cut.cut > 14
    text = case.decode(cut.sequence["input_ids"])
    assert "]" not in text
    assert " What is it?" in text


def test_answers_come_back_in_pixels_of_the_original(
    new_case: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = new_case("qwen2_5_vl")
    said = '{"bbox_2d": [9, 15, 84, 70]}'
    tokens = torch.tensor([case.encoder().token_ids(said)])

    def answers(*rows: Row, boxes: bool = False) -> list[str | None]:
        answerer = Answerer(
            case.fresh(), case.encoder(), device="cpu", bf16=False, max_new_tokens=8, boxes=boxes
        )

        def generate(input_ids: torch.Tensor, **_: Any) -> torch.Tensor:
            return torch.cat([input_ids, tokens.expand(len(input_ids), -1)], 1)

        monkeypatch.setattr(answerer.model, "generate", generate)
        return [said.text for said in answerer.answer([answerer.encode(r) for r in rows])]

    plain = rows_from_python([{"image": picture(120, 112, 0), "prompt": "q", "response": "a"}])[0]
    # 120 x 112 is shown as 112 x 112.
    there = '{"bbox_2d": [9.64, 15, 90, 70]}'
    assert answers(row(BOX), plain) == [there, said]
    # Where nobody says what is right, as `kolm run` asks, the bundle says that boxes were taught.
    unanswered = replace(
        plain, conversation=plain.conversation.of("q", "", plain.conversation.images)
    )
    assert answers(unanswered) == [said]
    assert answers(unanswered, plain, boxes=True) == [there, said]
