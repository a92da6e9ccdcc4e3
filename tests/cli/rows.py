"""Rows of pictures with given answers."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image


def write_rows(path: Path, answers: list[str], *, images: int = 1) -> Path:
    lines = []
    for number, answer in enumerate(answers):
        shown = []
        for turn in range(images):
            shown.append(f"{path.stem}-{number}-{turn}.png")
            color = (number % 256, number // 256, turn)
            Image.new("RGB", (28, 28), color).save(path.parent / shown[-1])
        lines.append(json.dumps({"images": shown, "prompt": f"{number}?", "response": answer}))
    path.write_text("\n".join(lines) + "\n")
    return path
