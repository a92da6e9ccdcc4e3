"""Every kind of image has one defined reading, or is refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Picture

from kolm_cli.capture.store import Store
from kolm_cli.records.pictures import as_rgb, decode_rgb
from tests.capture.helpers import Kolm, write_rows
from tests.formats.helpers import jpeg_turned


def encoded(picture: Picture.Image, format: str, **more: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **more)
    return buffer.getvalue()


def test_every_kind_of_image_has_a_defined_reading(kolm: Kolm, tmp_path: Path, home: Path) -> None:
    from pillow_heif import register_heif_opener

    from kolm_cli.records.pictures import decode_rgb

    register_heif_opener()
    half = Picture.new("RGBA", (4, 4), (255, 0, 0, 0))
    frames = [Picture.new("RGB", (4, 4), c) for c in ("red", "blue")]
    palette = Picture.new("RGB", (4, 4), (10, 200, 30)).quantize()
    kinds: dict[str, tuple[bytes, tuple[int, int, int]]] = {
        "cmyk.jpg": (encoded(Picture.new("CMYK", (4, 4), (0, 255, 255, 0)), "JPEG"), (254, 0, 0)),
        "palette.png": (encoded(palette, "PNG"), (10, 200, 30)),
        "grey16.png": (encoded(Picture.new("I;16", (4, 4), 65535 // 2), "PNG"), (127, 127, 127)),
        "clear.png": (encoded(half, "PNG"), (255, 255, 255)),
        "moving.gif": (encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
                       (255, 0, 0)),
        "moving.webp": (encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:],
                                lossless=True), (255, 0, 0)),
        "a.avif": (encoded(Picture.new("RGB", (4, 4), "white"), "AVIF"), (255, 255, 255)),
        "a.heic": (encoded(Picture.new("RGB", (64, 64), "white"), "HEIF"), (255, 255, 255)),
        "bw.png": (encoded(Picture.new("1", (4, 4), 1), "PNG"), (255, 255, 255)),
    }  # fmt: skip
    rows = []
    for name, (data, _) in kinds.items():
        (tmp_path / name).write_bytes(data)
        rows.append({"image": name, "prompt": name, "response": "a"})
    ran = kolm("capture", "import", write_rows(tmp_path / "r.jsonl", rows), "--to", "ns")
    assert ran.code == 0, ran.err
    with Store.open() as store:
        for pair in store.pairs("ns"):
            (sha256,) = pair.conversation.images
            expected = kinds[pair.conversation.messages[0].text][1]
            found = decode_rgb(store.image_path(sha256).read_bytes()).getpixel((0, 0))
            assert isinstance(found, tuple)
            assert all(abs(a - b) <= 3 for a, b in zip(found, expected, strict=True)), pair


def test_exif_orientation_is_recorded_and_applied_once(
    kolm: Kolm, tmp_path: Path, home: Path
) -> None:
    (tmp_path / "t.jpg").write_bytes(jpeg_turned())
    rows = write_rows(tmp_path / "r.jsonl", [{"image": "t.jpg", "prompt": "q", "response": "a"}])
    kolm("capture", "import", rows, "--to", "ns")
    assert kolm("capture", "stats", "ns", "--json").json["images"]["turned_by_exif"] == 1
    with Store.open() as store:
        assert store.connection.execute(
            "SELECT width, height, orientation FROM images"
        ).fetchall() == [(10, 20, 6)]
    kolm("capture", "import", rows, "--to", "bare", "--strip-metadata")
    with Store.open() as store:
        (pair,) = store.pairs("bare")
        data = store.image_path(pair.conversation.images[0]).read_bytes()
    with Picture.open(io.BytesIO(data)) as bare:
        # Upright already, and nothing left that could turn it a second time.
        assert bare.size == (10, 20)
        assert not bare.getexif()
        assert not bare.info


def test_a_bomb_is_refused(kolm: Kolm, tmp_path: Path) -> None:
    bomb = encoded(Picture.new("1", (30_000, 30_000)), "PNG")
    assert len(bomb) < 200_000
    (tmp_path / "bomb.png").write_bytes(bomb)
    rows = write_rows(tmp_path / "r.jsonl", [{"image": "bomb.png", "prompt": "q", "response": "a"}])
    ran = kolm("capture", "import", rows, "--to", "ns")
    assert ran.code == 2
    assert "r.jsonl:1: image: a decompression bomb" in ran.err


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "AVIF"])
@pytest.mark.parametrize("orientation", range(9))
def test_the_size_in_the_header_is_that_of_the_decoded_picture(
    format: str, orientation: int
) -> None:
    from kolm_cli.records.pictures import decode_rgb, upright_size

    picture = Picture.new("RGB", (20, 10), "navy")
    exif = picture.getexif()
    exif[0x0112] = orientation
    more = {} if format in ("GIF", "BMP") else {"exif": exif}
    data = encoded(picture, format, **more)
    assert upright_size(data) == decode_rgb(data).size


def test_a_size_is_not_read_from_what_is_no_picture() -> None:
    from kolm_cli.records.pictures import ImageError, upright_size

    for data in (b"", b"not a picture", b"%!PS-Adobe-3.0 EPSF-3.0"):
        with pytest.raises(ImageError):
            upright_size(data)


def test_one_transparent_color_of_a_png_is_white_too() -> None:
    picture = Picture.new("RGB", (2, 1), (9, 9, 9))
    picture.putpixel((0, 0), (0, 0, 0))
    data = encoded(picture, "PNG", transparency=(0, 0, 0))
    for read in (decode_rgb(data), as_rgb(Picture.open(io.BytesIO(data)))):
        assert [read.getpixel((x, 0)) for x in range(2)] == [(255, 255, 255), (9, 9, 9)]
