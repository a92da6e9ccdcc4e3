"""Progress from the worker to its parent: JSON lines in a file."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolm_cli.core.progress import Progress


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


@dataclass
class ProgressReader:
    """Reads the file as it grows, and tells `progress` what it says."""

    path: Path
    progress: Progress
    position: int = 0

    def read(self) -> None:
        """Tell what was written since the last time."""
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as stream:
            stream.seek(self.position)
            for line in stream:
                if not line.endswith(b"\n"):
                    break
                self.position += len(line)
                self._tell(json.loads(line))

    def _tell(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "stage":
                self.progress.stage(event["name"], event["total"], event["unit"])
            case "advance":
                self.progress.advance(event["done"], **event["figures"])
            case _:
                self.progress.note(event["text"])
