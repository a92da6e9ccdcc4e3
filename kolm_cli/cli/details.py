"""What a metric says of all rows together, in lines: rates, F1, a confusion table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kolm_cli.core.printable import one_line

# Labels that a terminal has room for; --json has all.
MOST_LABELS = 12
_WIDTH = 12


def details_of(details: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Label and text of each line."""
    for name, value in details.items():
        if isinstance(value, int | float):
            yield name.replace("_", " "), f"{value:.4f}" if isinstance(value, float) else str(value)
    labels = details.get("labels", {})
    for number, (label, figures) in enumerate(list(labels.items())[:MOST_LABELS]):
        text = (
            f"{_cut(label)}: F1 {figures['f1']:.4f}  (precision {figures['precision']:.4f},"
            f" recall {figures['recall']:.4f}, {figures['rows']} rows)"
        )
        yield "" if number else "labels", text
    if len(labels) > MOST_LABELS:
        yield "", f"and {len(labels) - MOST_LABELS} more; --json has all"
    if "confusion" in details:
        for number, line in enumerate(_table(details["confusion"])):
            yield "" if number else "confusion", line
    for part in details.get("parts", ()):
        yield one_line(part["metric"]), f"{part['mean']:.4f}  (weight {part['weight']:g})"
        inner = {k: v for k, v in part.items() if k not in ("metric", "weight", "mean")}
        yield from details_of(inner)


def _table(confusion: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Rows are what is right, columns what was said; the most frequent labels."""
    totals: dict[str, int] = {}
    for right, said in confusion.items():
        for label, count in said.items():
            totals[label] = totals.get(label, 0) + count
            totals[right] = totals.get(right, 0)
    shown = sorted(sorted(totals), key=lambda label: -totals[label])[:MOST_LABELS]
    yield " ".join(f"{text:>{_WIDTH}}" for text in ("right \\ said", *map(_cut, shown)))
    for right in shown:
        if right in confusion:
            counts = (str(confusion[right].get(said, 0)) for said in shown)
            yield " ".join(f"{text:>{_WIDTH}}" for text in (_cut(right), *counts))


def _cut(text: str) -> str:
    text = one_line(text)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
