"""Each picture is decoded once, in processes of their own, and remembered."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from kolm_cli.core.digests import sha256_bytes
from kolm_cli.core.memo import Memo
from kolm_cli.dataset import decode_helper, decoders, picture_book
from kolm_cli.dataset.decoders import Decoders
from kolm_cli.dataset.picture_book import PictureBook
from kolm_cli.records.conversation import Conversation
from kolm_cli.records.images import BytesImage, PathImage
from kolm_cli.records.pictures import ImageError, decode_rgb, pixel_digest
from kolm_cli.records.row import Row


def image(seed: int, size: tuple[int, int] = (12, 8)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (seed, 2 * seed % 256, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def row(number: int, *images: bytes) -> Row:
    named = {sha256_bytes(data): BytesImage(data) for data in images}
    return Row(f"rows:{number}", Conversation.of("q", "a", tuple(named)), named)


def test_what_is_found_is_what_decoding_gives() -> None:
    data = image(7, (30, 20))
    found = PictureBook().of(sha256_bytes(data), BytesImage(data))
    assert found.size == (30, 20)
    assert found.pixels == pixel_digest(decode_rgb(data))


def test_many_images_are_decoded_by_helpers_in_the_rows_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decoders, "FEWEST", 2)
    monkeypatch.setattr(decoders, "available_processors", lambda: 2)
    # Whatever is decoded here is not decoded by a helper.
    monkeypatch.delattr(picture_book, "look")
    rows = [row(n, image(n), image(100 + n % 3)) for n in range(20)]
    book, seen = PictureBook(), []
    for one in book.reading(rows):
        seen.append(one.id)
        for sha256, source in one.images.items():
            assert book.of(sha256, source).size == (12, 8)
    assert seen == [one.id for one in rows]
    assert book.decoded == 23


def test_what_no_decoder_reads_is_its_own_row_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "FEWEST", 1)
    monkeypatch.setattr(decoders, "available_processors", lambda: 2)
    rows = [row(0, b"no picture"), row(1, image(1)), row(2, image(2)[:40])]
    book, bad = PictureBook(), []
    for one in book.reading(rows):
        for sha256, source in one.images.items():
            try:
                book.of(sha256, source)
            except ImageError as error:
                bad.append((one.id, str(error)))
    assert [name for name, _ in bad] == ["rows:0", "rows:2"]
    assert "not an image" in bad[0][1]


def test_a_decoder_that_crashes_takes_nobody_with_it() -> None:
    helpers = Decoders(1)
    try:
        assert helpers.submit(BytesImage(image(1))).result()[1:3] == [12, 8]
        (process,) = helpers._all
        process.kill()
        process.wait()
        assert helpers.submit(BytesImage(image(2))).result() == ["its decoder crashed"]
        assert helpers.submit(BytesImage(image(3))).result()[1:3] == [12, 8]
    finally:
        helpers.close()
    assert all(helper.returncode is not None for helper in helpers._all)


def test_the_helper_ends_with_its_input() -> None:
    data = image(5)
    source = io.BytesIO(len(data).to_bytes(8, "big") + data + b"\0\0")
    target = io.BytesIO()
    decode_helper.main(source, target)
    assert target.getvalue().count(b"\n") == 1


def test_what_was_found_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = image(9)
    (tmp_path / "a.png").write_bytes(data)
    sha256 = sha256_bytes(data)
    source = PathImage(tmp_path / "a.png", sha256)
    with Memo(tmp_path / "memo") as memo:
        first = PictureBook(memo).of(sha256, source)
    assert (tmp_path / "memo").stat().st_mode & 0o077 == 0
    with Memo(tmp_path / "memo") as memo, monkeypatch.context() as patched:
        patched.delattr(picture_book, "look")
        book = PictureBook(memo)
        assert book.of(sha256, source) == first
        assert book.decoded == 0
        # Who asks is told that the file is gone all the same.
        (tmp_path / "a.png").unlink()
        patched.undo()
        with pytest.raises(Exception, match="no such image file"):
            PictureBook(memo).of(sha256, source)


@pytest.mark.parametrize(
    "value", ["x", 5, [], ["00", "9", 4, ""], ["00", 9, True, ""], [None] * 4, {"a": 1}, [["00"]]]
)
def test_what_somebody_else_wrote_is_looked_for_anew(tmp_path: Path, value: Any) -> None:
    data = image(9)
    with Memo(tmp_path / "memo") as memo:
        first = PictureBook().of("0" * 64, BytesImage(data))
        memo.put(picture_book._key("0" * 64), value)
        assert PictureBook(memo).of("0" * 64, BytesImage(data)) == first


def test_a_memo_keeps_what_was_used_last(tmp_path: Path) -> None:
    for number in range(4):
        with Memo(tmp_path / "memo", most=2) as memo:
            memo.put(f"key {number}", [number])
            memo._database.execute("UPDATE found SET used = used - 10")  # type: ignore[union-attr]
    with Memo(tmp_path / "memo", most=2) as memo:
        assert [memo.get(f"key {n}") for n in range(4)] == [None, None, [2], [3]]


@pytest.mark.parametrize("content", [b"", b"no database" * 100, b"\x80" * 5000])
def test_a_damaged_memo_costs_time_and_nothing_else(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "memo").write_bytes(content)
    with Memo(tmp_path / "memo") as memo:
        memo.put("a", 1)
        assert memo.get("a") == 1
        assert memo.get("b") is None
    with Memo(tmp_path / "missing" / "memo") as memo:
        assert memo.get("a") is None


def test_other_rows_of_the_same_images_decode_nothing(tmp_path: Path) -> None:
    one = row(1, image(1))
    book = PictureBook()
    for other in (one, replace(one, id="rows:2"), row(3, image(1))):
        book.of(*next(iter(other.images.items())))
    assert book.decoded == 1
