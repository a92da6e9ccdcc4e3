"""Rows a second in preflight: cold, with twenty new rows, warm; and what encoding would take.

    .venv/bin/python benchmarks/preflight.py [--pictures 1000]

The pictures are JPEG files of 1536 x 1040 (1.6 megapixels), one a row.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFilter

from kolm_cli.core.memo import Memo
from kolm_cli.core.processors import available_processors
from kolm_cli.core.progress import Silent
from kolm_cli.dataset.picture_book import PictureBook
from kolm_cli.encoding.encoder import Encoder, Limits
from kolm_cli.encoding.row_checks import check_rows
from kolm_cli.families.catalog import by_name
from kolm_cli.families.resolve import resolve_base
from kolm_cli.families.tiny.catalog import write_tiny
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.records.row import Row

SIZE = (1536, 1040)
NEW, ENCODED = 20, 24


def write_pictures(folder: Path, count: int) -> list[Row]:
    """Pictures with large shapes and fine grain, as photographs have."""
    draw = random.Random(0)  # noqa: S311
    grain = Image.frombytes("L", (256, 256), draw.randbytes(256 * 256)).resize(SIZE)
    records = []
    for number in range(count):
        picture = Image.new("RGB", SIZE, (number % 256, 90, 160))
        pen = ImageDraw.Draw(picture)
        for _ in range(12):
            x, y = draw.randrange(SIZE[0]), draw.randrange(SIZE[1])
            pen.ellipse((x, y, x + 400, y + 300), fill=draw.randrange(1 << 24))
        picture = Image.blend(picture, Image.merge("RGB", [grain] * 3), 0.1)
        path = folder / f"{number}.jpg"
        picture.filter(ImageFilter.BoxBlur(1)).save(path, quality=85)
        records.append({"image": path, "prompt": f"What is shape {number}?", "response": "round"})
    return rows_from_python(records)


def checked(encoder: Encoder, rows: list[Row], memo_file: Path) -> float:
    """Seconds of a check with what the memo knows."""
    began = time.perf_counter()
    with Memo(memo_file) as memo:
        found = check_rows(encoder, rows, progress=Silent(), book=PictureBook(memo), memo=memo)
    assert len(found.rows) == len(rows)
    return time.perf_counter() - began


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser()
    options.add_argument("--pictures", type=int, default=1000)
    count = options.parse_args().pictures
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        family = by_name("qwen2_5_vl")
        assert family is not None
        write_tiny(family, folder / "base", seed=0, width=64, layers=2)
        encoder = Encoder.for_base(resolve_base(str(folder / "base")), Limits(2048, 4))
        rows = write_pictures(folder, count + NEW)
        began = time.perf_counter()
        for row in rows[:ENCODED]:
            encoder.training(row)
        pixels = (time.perf_counter() - began) / ENCODED
        cold = checked(encoder, rows[:count], folder / "memo")
        new = checked(encoder, rows, folder / "memo")
        warm = checked(encoder, rows, folder / "memo")
    load = os.getloadavg()[0]
    sys.stdout.write(
        f"encoding with pixels {1 / pixels:.0f} rows/s; preflight cold {count / cold:.0f} rows/s,"
        f" warm {len(rows) / warm:.0f} rows/s, {NEW} new among {len(rows)} in {new:.1f} s"
        f" ({available_processors()} processors, load {load:.1f})\n"
        f"cold to encoding {cold / count / pixels:.2f}, warm to cold {warm / cold:.3f}\n"
    )


if __name__ == "__main__":
    main()
