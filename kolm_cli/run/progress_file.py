"""Progress from the worker: JSON lines in a file that the parent reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class FileProgress:
    """Appends one JSON object an event; only the first process of a run writes."""

    def __init__(self, path: Path, *, active: bool = True) -> None:
        self._stream = path.open("a", encoding="utf-8") if active else None

    def _write(self, event: dict[str, Any]) -> None:
        if self._stream is not None:
            self._stream.write(json.dumps(event) + "\n")
            self._stream.flush()

    def stage(self, name: str, total: int | None = None, unit: str = "") -> None:
        """A stage begins."""
        self._write({"event": "stage", "name": name, "total": total, "unit": unit})

    def advance(self, done: int, **figures: float | str) -> None:
        """Units of the stage are finished."""
        self._write({"event": "advance", "done": done, "figures": figures})

    def note(self, text: str) -> None:
        """Something for the user to read."""
        self._write({"event": "note", "text": text})
