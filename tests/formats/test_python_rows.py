"""Rows from Python are read as rows of files are: the same refusals, digests and pixels."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture
from PIL import ImageDraw

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.formats.reader import read_rows
from kolm_cli.records.images import PathImage
from kolm_cli.records.pictures import decode_rgb
from kolm_cli.records.row import Row


def save(picture: Picture.Image, path: Path, **more: Any) -> Path:
    picture.save(path, **more)
    return path


def drawn(mode: str, size: tuple[int, int] = (24, 16)) -> Picture.Image:
    picture = Picture.new("RGBA", size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((2, 2, 11, 9), fill=(200, 30, 60, 255))
    draw.ellipse((8, 4, 20, 14), fill=(10, 90, 250, 120))
    return picture.convert(mode)


def exif(value: int) -> Picture.Exif:
    found = Picture.Exif()
    found[0x0112] = value
    return found


GRADIENT = np.arange(24 * 16).reshape(16, 24)
WRITTEN: dict[str, Any] = {
    "rgb.png": lambda p: save(drawn("RGB"), p),
    "rgba.png": lambda p: save(drawn("RGBA"), p),
    "la.png": lambda p: save(drawn("LA"), p),
    "grey.png": lambda p: save(drawn("L"), p),
    "bits.png": lambda p: save(drawn("1"), p),
    "palette.png": lambda p: save(drawn("RGB").quantize(7), p),
    "clear-palette.png": lambda p: save(drawn("RGB").quantize(7), p, transparency=0),
    "clear.gif": lambda p: save(drawn("RGB").quantize(7), p, transparency=1),
    "moving.gif": lambda p: save(
        drawn("RGB"), p, save_all=True, append_images=[Picture.new("RGB", (24, 16), "blue")]
    ),
    "grey16.png": lambda p: save(Picture.fromarray((GRADIENT * 170).astype("uint16")), p),
    "integer.tif": lambda p: save(Picture.fromarray((GRADIENT * 170).astype("int32")), p),
    "float.tif": lambda p: save(Picture.fromarray(GRADIENT.astype("float32")), p),
    "cmyk.jpg": lambda p: save(drawn("CMYK"), p),
    "cmyk.tif": lambda p: save(drawn("CMYK"), p),
    "lab.tif": lambda p: save(drawn("RGB").convert("LAB"), p),
    "ycbcr.jpg": lambda p: save(drawn("YCbCr"), p),
    "lossy.webp": lambda p: save(drawn("RGBA"), p),
    **{f"turned{i}.jpg": lambda p, i=i: save(drawn("RGB"), p, exif=exif(i)) for i in range(1, 9)},
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_pil_image_has_the_pixels_of_its_file(name: str, tmp_path: Path) -> None:
    path = WRITTEN[name](tmp_path / name)
    rows = rows_from_python(
        {"image": image, "prompt": "q", "response": "a"} for image in (path, Picture.open(path))
    )
    from_file, from_pil = (decode_rgb(next(iter(row.images.values())).read()) for row in rows)
    assert from_file.size == from_pil.size
    assert from_file.tobytes() == from_pil.tobytes()


def test_a_picture_made_in_memory_is_what_its_lossless_file_would_be(tmp_path: Path) -> None:
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16", "CMYK"):
        if mode.startswith("I"):
            picture = Picture.fromarray((GRADIENT * 170).astype("int32")).convert(mode)
        else:
            picture = drawn(mode)
        suffix = "tif" if mode in ("I", "CMYK") else "png"
        path = save(picture, tmp_path / f"{mode.replace(';', '')}.{suffix}")
        (row,) = rows_from_python([{"image": picture, "prompt": "q", "response": "a"}])
        (source,) = row.images.values()
        assert decode_rgb(source.read()).tobytes() == decode_rgb(path.read_bytes()).tobytes(), mode


def test_every_way_to_hand_over_a_file_is_one_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = save(drawn("RGB"), tmp_path / "a b.png")
    data = path.read_bytes()
    text = base64.b64encode(data).decode()
    images = [path, str(path), "a b.png", Path("a b.png"), path.as_uri(), data, text,
              f"data:image/png;base64,{text}", {"bytes": data, "path": None},
              {"path": str(path)}]  # fmt: skip
    rows = rows_from_python({"image": i, "prompt": "q", "response": "a"} for i in images)
    assert len({row.digest for row in rows}) == 1
    # A path stays one: nothing of it is held in memory.
    for row in rows[:5]:
        (source,) = row.images.values()
        assert isinstance(source, PathImage)
        assert source.path.is_absolute()


RECORDS: list[dict[str, Any]] = [
    {"image": "a.png", "prompt": "q", "response": "a"},
    {"images": ["a.png", "a.png"], "prompt": "q", "response": "a", "answers": ["b"]},
    {"prompt": "q", "response": "a", "images": []},
    {"image": "a.png", "messages": [{"role": "user", "content": "q"},
                                    {"role": "assistant", "content": "a"}]},
    {"images": ["a.png"], "messages": [
        {"role": "user", "content": [{"type": "text", "text": "one "}, {"type": "text",
         "text": "text"}, {"type": "image"}, {"type": "text", "text": ""}]},
        {"role": "assistant", "content": [{"type": "text", "text": "a"}]}]},
    {"image": "a.png", "conversations": [{"from": "human", "value": "<image>\nq"},
                                         {"from": "gpt", "value": "a"}]},
    {"image": "a.png", "prompt": "q", "completion": "a"},
]  # fmt: skip
BAD: list[dict[str, Any]] = [
    {"image": "gone.png", "prompt": "q", "response": "a"},
    {"image": "a.png", "prompt": "q"},
    {"image": "a.png", "prompt": "q", "response": " "},
    {"image": "a.png", "images": ["a.png"], "prompt": "q", "response": "a"},
    {"image": "https://example.org/a.png", "prompt": "q", "response": "a"},
    {"image": "a.png", "prompt": 3, "response": "a"},
    {"image": "a.png", "prompt": "q", "response": "\ud800"},
    {"image": "a.png", "prompt": "q", "response": "a", "answers": [""]},
    {"image": 7, "prompt": "q", "response": "a"},
    {"messages": [{"role": "user", "content": "q"}], "image": "a.png"},
    {"messages": [{"role": "tool", "content": "q"}, {"role": "assistant", "content": "a"}],
     "image": "a.png"},
    {"messages": [{"role": "user", "content": [{"type": "image"}]},
                  {"role": "assistant", "content": "a"}], "images": ["a.png", "a.png"]},
]  # fmt: skip


def read_both(
    record: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[Row | Problem], list[Row | Problem]]:
    """The record from a file, and from Python."""
    save(drawn("RGB"), folder / "a.png")
    monkeypatch.chdir(folder)
    path = folder / "r.jsonl"
    path.write_text(json.dumps(record))
    from_file = [r if isinstance(r, Problem) else r.as_row() for r in read_rows(path)]
    try:
        return from_file, [*rows_from_python([record])]
    except InputError as error:
        return from_file, [*error.problems]


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: " ".join(r))
def test_a_row_from_python_is_the_row_of_a_file(
    record: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_file, from_python = read_both(record, tmp_path, monkeypatch)
    assert [row.digest for row in from_file if isinstance(row, Row)] == [
        row.digest for row in from_python if isinstance(row, Row)
    ]
    assert len(from_python) == 1


@pytest.mark.parametrize("record", BAD, ids=lambda r: json.dumps(r)[:60])
def test_what_a_file_may_not_say_python_may_not_say(
    record: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_file, from_python = read_both(record, tmp_path, monkeypatch)
    said = [problem.what for problem in from_file if isinstance(problem, Problem)]
    assert said
    assert said == [problem.what for problem in from_python if isinstance(problem, Problem)]


def test_rows_of_several_shapes_may_be_mixed_and_every_fault_is_named_by_index() -> None:
    good = {"prompt": "q", "response": "a"}
    chat = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
    first, second, third = rows_from_python([good, {**chat, "id": "mine"}, {**good, "image": None}])
    assert [first.id, second.id, third.id] == ["rows[0]", "mine", "rows[2]"]
    with pytest.raises(InputError) as caught:
        rows_from_python([good, {**good, "mood": 1}, "text", {**chat, "id": 4, "x": 1}])  # type: ignore[list-item]
    assert [(p.where, p.what) for p in caught.value.problems] == [
        ("rows[1]", "unknown key 'mood'"),
        ("rows[2]", "expected an object, found text"),
        ("rows[3]", "unknown key 'x'"),
    ]


def test_a_damaged_pil_image_is_named(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    drawn("RGB", (200, 200)).save(buffer, "PNG")
    cut = Picture.open(io.BytesIO(buffer.getvalue()[:200]))
    with pytest.raises(InputError, match=r"rows\[0\]: image: damaged or truncated"):
        rows_from_python([{"image": cut, "prompt": "q", "response": "a"}])
