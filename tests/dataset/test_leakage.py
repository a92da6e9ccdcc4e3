"""The same picture is the same picture, however it was saved."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Picture
from PIL import ImageDraw

from kolm_cli.core.errors import Problem
from kolm_cli.dataset import picture_book
from kolm_cli.dataset.leakage import leaks, near_leaks
from kolm_cli.dataset.picture_book import PictureBook
from kolm_cli.dataset.sources import read_source
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.records.row import Row
from kolm_cli.spec.sources import FileSource


def picture(seed: int) -> Picture.Image:
    made = Picture.linear_gradient("L").resize((32, 24)).convert("RGB")
    made.putpixel((seed % 32, seed // 32), (255, 0, seed % 256))
    return made


def encoded(image: Picture.Image, format: str = "PNG", **more: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **more)
    return buffer.getvalue()


def rows(*images: object) -> list[Row]:
    return rows_from_python({"image": i, "prompt": "q", "response": "a"} for i in images)


def kinds(found: list[Problem]) -> list[tuple[str, str]]:
    return [(problem.where, problem.kind) for problem in found]


def test_a_picture_saved_again_is_found_in_every_lossless_form() -> None:
    image = picture(5)
    turned = Picture.Exif()
    turned[0x0112] = 3
    again = [
        encoded(image, compress_level=0),
        encoded(image, "BMP"),
        encoded(image, "WEBP", lossless=True),
        encoded(image.convert("RGBA")),
        encoded(image.rotate(180), "PNG", exif=turned),
        encoded(image, pnginfo=None, dpi=(72, 72)),
    ]
    found = list(leaks(rows(encoded(image)), rows(*again, encoded(picture(6)))))
    assert kinds(found) == [(f"rows[{i}]", "leaked-pixels") for i in range(len(again))]
    assert "is also in the training row rows[0]: another file" in found[0].what
    (same,) = leaks(rows(encoded(image)), rows(encoded(image)))
    assert same.kind == "leaked-image"


def test_pixels_of_another_shape_are_another_picture() -> None:
    wide = Picture.new("RGB", (8, 2), "red")
    tall = Picture.new("RGB", (2, 8), "red")
    assert list(leaks(rows(wide), rows(tall))) == []


def test_what_was_decoded_already_is_not_decoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    train, pack = rows(encoded(picture(1))), rows(encoded(picture(1), "BMP"))
    book = PictureBook()
    for row in (*train, *pack):
        for sha256, source in row.images.items():
            book.of(sha256, source)
    monkeypatch.delattr(picture_book, "look")
    assert len(list(leaks(train, pack, book))) == 1


def test_twenty_training_pictures_saved_again_are_named_from_files(tmp_path: Path) -> None:
    for side, level in (("train", 9), ("eval", 1)):
        folder = tmp_path / side
        folder.mkdir()
        lines = []
        for seed in range(20):
            data = encoded(picture(seed), compress_level=level)
            (folder / f"{seed}.png").write_bytes(data)
            lines.append(json.dumps({"image": f"{seed}.png", "prompt": "q", "response": "a"}))
        (folder / "rows.jsonl").write_text("\n".join(lines))
    train, pack = (
        read_source(FileSource(tmp_path / side / "rows.jsonl")) for side in ("train", "eval")
    )
    assert len(list(leaks(train.rows, pack.rows))) == 20


def test_an_unreadable_image_is_left_to_whoever_reads_the_row() -> None:
    assert list(leaks(rows(b"no image"), rows(b"nor this"))) == []


def scene(seed: int) -> Picture.Image:
    made = Picture.new("RGB", (320, 240), "white")
    draw = ImageDraw.Draw(made)
    for n in range(6):
        x, y = (seed * 37 + n * 61) % 260, (seed * 53 + n * 29) % 180
        draw.rectangle((x, y, x + 50, y + 50), fill=(n * 40, (seed * 19) % 255, 200))
    return made


def test_pictures_that_look_alike_are_counted_in_a_warning() -> None:
    train = rows(*(encoded(scene(seed)) for seed in range(20)))
    again = [
        encoded(scene(1), "JPEG", quality=75),
        encoded(scene(2).resize((200, 150))),
        encoded(scene(3), "WEBP"),
        *(encoded(scene(seed)) for seed in range(40, 60)),
        encoded(Picture.new("RGB", (50, 50), "red")),
    ]
    warning = near_leaks(train, rows(*again), PictureBook())
    assert warning.startswith("3 of 24 evaluation rows show pictures that look like ones that are")
    assert "(rows[0] like rows[1], rows[1] like rows[2], rows[2] like rows[3])" in warning
    flat = rows(*(encoded(Picture.new("RGB", (50, 50), color)) for color in ("blue", "green")))
    assert near_leaks(flat, rows(*again[3:]), PictureBook()) == ""
    assert near_leaks([], rows(*again), PictureBook()) == ""
