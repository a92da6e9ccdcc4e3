"""Figures as they come: a line a run, so that what was measured is not measured again."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

# Two-sided 95 % points of Student's t, by degrees of freedom.
T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}


class Results:
    """Runs by what they were asked to do, in a file where one is named."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, dict[str, Any]] = {}
        if path is not None and path.is_file():
            for line in path.read_text().splitlines():
                found = json.loads(line)
                self._known[json.dumps(found["asked"])] = found["found"]

    def once(self, asked: list[Any], measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What was found earlier, else what `measure` finds now."""
        key = json.dumps(asked)
        if key not in self._known:
            self._known[key] = measure()
            print(*asked, self._known[key], flush=True)
            if self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with self._path.open("a") as stream:
                    stream.write(json.dumps({"asked": asked, "found": self._known[key]}) + "\n")
        return self._known[key]


def interval(values: Iterable[float]) -> str:
    """The mean over seeds, with the 95 % interval of Student's t where there are several."""
    known = list(values)
    mean = statistics.fmean(known)
    if len(known) < 2:
        return f"{mean:.3g} (one seed)"
    half = T[len(known) - 1] * statistics.stdev(known) / len(known) ** 0.5
    return f"{mean:.3g} ± {half:.2g}"


def table(header: list[str], rows: Iterable[list[str]]) -> str:
    """A table as Markdown has it."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
