"""Published checkpoints as data: their configuration, and every tensor's name and shape."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any


def read(name: str) -> dict[str, Any]:
    """The document of that name, with `tensors` as name to shape."""
    document: dict[str, Any] = json.loads(
        (Path(__file__).parent / "published" / f"{name}.json").read_text()
    )
    document["tensors"] = {
        name: tuple(shape)
        for pattern, shape in document["tensors"].items()
        for name in _names(pattern)
    }
    return document


def _names(pattern: str) -> list[str]:
    match = re.search(r"\{(\d+)-(\d+)\}", pattern)
    if match is None:
        return [pattern]
    first, last = map(int, match.groups())
    return [pattern.replace(match.group(), str(number)) for number in range(first, last + 1)]
