"""The learning curves that a training leaves in its run folder."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any


def read_curves(path: Path) -> list[dict[str, Any]]:
    """The lines of a file that `CurveRecorder` wrote; none when there is no such file."""
    lines = []
    with contextlib.suppress(OSError), path.open(encoding="utf-8") as stream:
        for text in stream:
            # A kill may have cut the last line short.
            with contextlib.suppress(ValueError):
                value = json.loads(text)
                if isinstance(value, dict) and type(value.get("step")) is int:
                    lines.append(value)
    return lines
