"""A row's own wishes about its pictures, and rows whose pictures are shrunk to fit."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from kolm_cli.capture.exporting import Selection, export
from kolm_cli.capture.importing import import_path
from kolm_cli.capture.store import Store
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.encoding.encoded import RowError, TooLongError
from kolm_cli.encoding.encoder import Encoder
from kolm_cli.encoding.row_checks import check_rows
from kolm_cli.families.image_limits import ImageLimits
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.formats.reader import read_rows
from kolm_cli.records.conversation import Conversation
from kolm_cli.records.row import Row
from tests.capture.helpers import png, write_rows
from tests.support.cases import Case, Notes, picture

SIZE = (240, 224)
QWEN = ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"]


def row(*wishes: dict[str, Any], said: str = "A", size: tuple[int, int] = SIZE) -> Row:
    parts = [{"type": "image", "image": picture(*size, n), **w} for n, w in enumerate(wishes)]
    asked = [*parts, {"type": "text", "text": "What is it?"}]
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
    return rows_from_python([{"messages": messages}])[0]


def limited(case: Case, **limits: int) -> Encoder:
    encoder = case.encoder()
    return replace(
        encoder, processor=case.family.limited(encoder.processor, ImageLimits.of(limits))
    )


@pytest.mark.parametrize("family", QWEN)
def test_a_limit_of_an_image_is_that_of_the_spec_for_it_alone(
    new_case: Callable[..., Case], family: str
) -> None:
    case = new_case(family)
    for wish in ({"max_pixels": 6400}, {"min_pixels": 90_000, "max_pixels": 200_000}):
        own = case.encoder().training(row(wish))
        spec = limited(case, **wish).training(row({}))
        assert torch.equal(own.images["pixel_values"], spec.images["pixel_values"])
        assert torch.equal(own.sequence["input_ids"], spec.sequence["input_ids"])
        assert own.located.shown == spec.located.shown
        assert case.encoder().counted(row(wish), [SIZE], prompt=False).tokens == own.tokens
    both = case.encoder().training(row({"max_pixels": 6400}, {}))
    small, usual = limited(case, max_pixels=6400).training(row({})), case.encode(row({}))
    assert both.picture_tokens == (small.image_tokens, usual.image_tokens)
    assert both.picture_tokens[0] < both.picture_tokens[1]


@pytest.mark.parametrize("family", QWEN)
def test_an_exact_size_is_shown_in_whole_patches(
    new_case: Callable[..., Case], family: str
) -> None:
    case = new_case(family)
    images = case.processor.image_processor
    unit = images.patch_size * images.merge_size
    encoded = case.encoder().training(
        row({"resized_height": 3 * unit + 3, "resized_width": 2 * unit - 3})
    )
    assert encoded.located.shown == ((2 * unit, 3 * unit),)
    assert encoded.image_tokens == 6
    for wish, said in (
        ({"resized_height": 90}, "both are needed"),
        ({"resized_height": 90, "resized_width": 90, "max_pixels": 9000}, "and for limits on it"),
        ({"max_pixels": 5}, "less than one token's"),
    ):
        with pytest.raises(RowError, match=said):
            case.encoder().training(row(wish))


def test_boxes_follow_the_size_that_the_row_asks_for(new_case: Callable[..., Case]) -> None:
    case = new_case("qwen2_5_vl")
    messages = [
        {"role": "user", "content": [{"type": "image", "image": picture(112, 112, 0),
                                      "resized_height": 56, "resized_width": 224}]},
        {"role": "assistant", "content": "<bbox>"},
    ]  # fmt: skip
    (given,) = rows_from_python([{"messages": messages, "boxes": [[28, 28, 112, 112]]}])
    text = case.decode(case.encoder().training(given).sequence["input_ids"])
    assert "[56, 14, 224, 56]" in text


def test_a_family_does_what_it_can_with_a_wish_and_refuses_the_rest(pictured: Case) -> None:
    sizing = pictured.family.image_sizing
    takes = sizing.takes if sizing else ()
    wishes = {"min_pixels": 900, "max_pixels": 800_000}
    for name, value in wishes.items():
        (*problems,) = check_rows(
            pictured.encoder(), [row({name: value})], progress=Notes()
        ).problems
        if name in takes:
            assert not [p for p in problems if name in p.what]
        else:
            assert any(f"asks for {name}" in problem.what for problem in problems)
    if sizing is None or not sizing.each:
        with pytest.raises(RowError, match="asks for resized_height"):
            pictured.encoder().training(row({"resized_height": 56, "resized_width": 56}))


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"max_pixels": 0}, "is no number of pixels"),
        ({"max_pixels": 2.5}, "is no number of pixels"),
        ({"max_pixels": True}, "is no number of pixels"),
        ({"min_pixels": 10**12}, "is no number of pixels"),
        ({"resized_height": 60_000, "resized_width": 60_000}, "more than the"),
        ({"nframes": 3}, "changes what the row means"),
    ],
)
def test_wishes_that_cannot_be_are_named(wish: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        row(wish)
    assert said in caught.value.problems[0].what


def test_wishes_are_kept_in_files_and_name_the_row(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png((1, 2, 3)))
    image = {"type": "image", "image": "a.png", "max_pixels": 3136, "min_pixels": None}
    record = {
        "messages": [
            {"role": "user", "content": [image, {"type": "text", "text": "q"}]},
            {"role": "assistant", "content": "a"},
        ]
    }
    source = write_rows(tmp_path / "r.jsonl", [record])
    (read,) = read_rows(source)
    assert not isinstance(read, Problem)
    assert read.conversation.wishes == ({"max_pixels": 3136},)
    assert Conversation.from_json(json.loads(json.dumps(read.conversation.as_json()))) == (
        read.conversation
    )
    with Store.open(tmp_path / "home") as store:
        import_path(store, source, "ns")
        export(store, Selection("ns"), tmp_path / "out.jsonl", "trl-messages")
        import_path(store, tmp_path / "out.jsonl", "back")
        assert store.namespace_digest("back") == store.namespace_digest("ns")
        for format in ("sharegpt", "parquet"):
            with pytest.raises(InputError, match="no place for the size of an image"):
                export(store, Selection("ns"), tmp_path / f"x.{format}", format)


# -- resize: fit ---------------------------------------------------------------------------------


def fitting(case: Case, budget: int) -> Encoder:
    return case.encoder(budget, fit=True)


def test_pictures_are_shrunk_until_their_row_fits_uncut(pictured: Case) -> None:
    if pictured.family.image_sizing is None:
        with pytest.raises(InputError, match="does not take it") as caught:
            pictured.family.limit_images(
                copy.deepcopy(pictured.processor), ImageLimits(resize="fit")
            )
        assert caught.value.problems[0].fix == "it shows every picture at one size"
        return
    size = (1500, 1400) if pictured.family.name in ("phi3_v", "phi4_multimodal") else SIZE
    given = row({}, size=size)
    whole = pictured.encoder(None).training(given)
    budget = whole.tokens - 1
    try:
        fitted = fitting(pictured, budget).training(given)
    except TooLongError:
        pytest.fail("a smaller picture would have fitted")
    assert fitted.cut == 0
    assert fitted.tokens <= budget
    assert fitted.image_tokens < whole.image_tokens
    assert fitting(pictured, whole.tokens).training(given).tokens == whole.tokens
    counted = fitting(pictured, budget).counted(given, [size], prompt=False)
    assert counted.tokens == fitted.tokens
    assert counted.located == fitted.located


def test_the_largest_picture_that_fits_is_shown(new_case: Callable[..., Case]) -> None:
    case = new_case("qwen2_5_vl")
    given = row({}, size=(56, 560))
    whole = limited(case, max_pixels=56 * 560).training(given)
    assert whole.image_tokens == 40
    base = replace(
        case.encoder(whole.tokens - 10, fit=True),
        processor=case.family.limited(case.processor, ImageLimits(max_pixels=56 * 560)),
    )
    fitted = base.training(given)
    # Whatever is larger has two columns.
    assert fitted.located.shown == ((28, 532),)


def test_text_is_cut_only_where_no_picture_is_small_enough(new_case: Callable[..., Case]) -> None:
    case = new_case("qwen2_5_vl")
    given = case.row(("Long " * 40 + "What is it?", "A"), images=[SIZE])
    whole = case.encoder(None).training(given)
    text = whole.tokens - whole.image_tokens
    fitted = fitting(case, text + 2).training(given)
    assert fitted.cut == 0
    assert fitted.image_tokens <= 2
    cut = fitting(case, text - 50).training(given)
    assert cut.cut > 0
