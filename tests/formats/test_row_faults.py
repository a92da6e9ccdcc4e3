"""Every row's fault is that row's: it is named, and the others are read."""

from __future__ import annotations

import io
import json
import os
import struct
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from tests.capture.helpers import Kolm, png, write_rows


def _tiff(offset: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "TIFF")
    data = bytearray(buffer.getvalue())
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * count, offset)
    return bytes(data)


def _odd_images(folder: Path) -> dict[str, object]:
    (folder / "dir.png").mkdir()
    (folder / "far.tif").write_bytes(_tiff(0x7FFFFFF0))
    (folder / "inside.tif").write_bytes(_tiff(9))
    (folder / "empty.png").write_bytes(b"")
    os.mkfifo(folder / "fifo.png")
    os.symlink("loop.png", folder / "loop.png")
    return {
        "folder": "dir.png",
        "mem": "/proc/self/mem",
        "endless": "/dev/zero",
        "fifo": "fifo.png",
        "loop": "loop.png",
        "tiff-far": "far.tif",
        "tiff-inside": "inside.tif",
        "empty": "empty.png",
        "nul": "a\0b.png",
        "long": "a/" * 3000,
        "surrogate": "\ud800.png",
        "bad-uri": "file://[",
        "number": 7,
        "none": [],
    }


ODD = (
    "folder", "mem", "endless", "fifo", "loop", "tiff-far", "tiff-inside", "empty", "nul", "long",
    "surrogate", "number", "bad-uri",
)  # fmt: skip


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("strip", [(), ("--strip-metadata",)], ids=["as it is", "stripped"])
def test_one_odd_image_is_its_rows_fault(
    kind: str, strip: tuple[str, ...], tmp_path: Path, home: Path, kolm: Kolm
) -> None:
    odd = _odd_images(tmp_path)[kind]
    (tmp_path / "good.png").write_bytes(png())
    rows = [
        {"image": "good.png", "prompt": "first", "response": "a"},
        {"image": odd, "prompt": "odd", "response": "a"},
        {"image": "good.png", "prompt": "last", "response": "a"},
    ]
    path = write_rows(tmp_path / "rows.jsonl", rows)
    done = kolm("capture", "import", path, "--to", "ns", *strip)
    if done.code != 0:  # Stripping what one frame needs makes a picture of some odd files.
        assert done.code == 2, done.err
        assert "rows.jsonl:2" in done.err
        skipped = tmp_path / "skipped"
        done = kolm("capture", "import", path, "--to", "ns", "--skip-bad", skipped, *strip)
        assert "rows.jsonl:2" in skipped.read_text()
        assert (done.code, "2 rows, 2 new pairs" in done.out) == (0, True)
    else:
        assert kind.startswith("tiff")


CHAT = {
    "request": {"messages": [{"role": "user", "content": "q"}]},
    "response": {
        "model": "\ud800",
        "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "a"}}],
    },
}
ROW = {"prompt": "q", "response": "a"}


@pytest.mark.parametrize(
    "row",
    [CHAT, {**ROW, "model": "\ud800"}, {**ROW, "tags": ["\ud800"]}, {**ROW, "answers": ["\ud800"]}],
    ids=["chat model", "model", "tags", "answers"],
)
def test_half_a_surrogate_pair_is_its_rows_fault(
    row: object, tmp_path: Path, home: Path, kolm: Kolm
) -> None:
    done = kolm("capture", "import", write_rows(tmp_path / "rows.jsonl", [row]), "--to", "ns")
    assert done.code == 2
    assert "rows.jsonl:1" in done.err
    assert "surrogate" in done.err


def test_an_archives_names_may_be_any_bytes(tmp_path: Path, home: Path, kolm: Kolm) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w", encoding="latin-1") as archive:
        for name, data in (("\xe9.png", png()), ("\xe9.json", b'{"prompt": "q", "response": "a"}')):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    done = kolm("capture", "import", path, "--to", "ns")
    assert (done.code, "1 rows, 1 new pairs" in done.out) == (0, True), done.err


@pytest.mark.parametrize("shape", ["messages", "request"])
def test_a_row_that_nobody_thought_of_is_its_own_fault(
    shape: str, tmp_path: Path, home: Path, kolm: Kolm
) -> None:
    deep = "[" * 940 + "]" * 940
    turns = f'[{{"role": "user", "content": [{{"type": {deep}}}]}}]'
    odd = {"messages": turns, "request": f'{{"messages": {turns}}}'}[shape]
    good = json.dumps({"messages": [{"role": "user", "content": "q"},
                                    {"role": "assistant", "content": "a"}]})  # fmt: skip
    path = write_rows(tmp_path / "rows.jsonl", [good, f'{{"{shape}": {odd}, "response": {{}}}}'])
    done = kolm("capture", "import", path, "--to", "ns")
    assert done.code == 2, done.err
    assert "rows.jsonl:2" in done.err
    skip = ("--skip-bad", tmp_path / "skipped")
    assert kolm("capture", "import", path, "--to", "ns", *skip).code == 0
