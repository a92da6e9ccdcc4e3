"""Data that nobody here drew, beside the demo's: rows of a picture, a question and an answer."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from kolm_cli.demo.data import write_chart_data

SIDE = 96
Pictured = Iterator[tuple[Image.Image, str, str]]


def digits() -> Pictured:
    """scikit-learn's 1,797 handwritten digits, of 8 by 8 pixels."""
    from sklearn.datasets import load_digits

    found = load_digits()
    for pixels, target in zip(found.images, found.target, strict=True):
        image = Image.fromarray((pixels * 15.9).astype("uint8")).resize((SIDE, SIDE))
        yield image.convert("RGB"), "Which digit is this?", str(int(target))


def elpv() -> Pictured:
    """2,624 solar cells in electroluminescence, defective or not (Buerhop-Lutz et al., 2018)."""
    from elpv_dataset.utils import load_dataset

    images, chances, _ = load_dataset()
    for pixels, chance in zip(images, chances, strict=True):
        image = Image.fromarray(pixels).resize((SIDE, SIDE)).convert("RGB")
        yield image, "Is this cell defective?", "yes" if chance > 0.5 else "no"


SETS = {"digits": digits, "elpv": elpv}


def write(name: str, folder: Path, *, rows: int, pack: int, seed: int) -> None:
    """Write `train.jsonl` and `eval.jsonl`, drawn without replacement by the seed."""
    if name == "demo":
        # Charts of another seed are other charts.
        write_chart_data(folder / "train", style="B", rows=rows, seed=seed)
        write_chart_data(folder / "eval", style="B", rows=pack, seed=seed + 1000)
        return
    found = list(SETS[name]())
    random.Random(seed).shuffle(found)  # noqa: S311  # a sample, no secret
    for split, part in (("train", found[pack : pack + rows]), ("eval", found[:pack])):
        (folder / split).mkdir(parents=True)
        with (folder / split / "data.jsonl").open("w") as stream:
            for number, (image, prompt, response) in enumerate(part):
                image.save(folder / split / f"{number}.png")
                row = {"image": f"{number}.png", "prompt": prompt, "response": response}
                stream.write(json.dumps(row) + "\n")
