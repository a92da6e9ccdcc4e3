"""Lengths and sizes of the evaluation, drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from kolm_cli.core.errors import KolmError
from kolm_cli.records.pictures import ImageError, upright_size
from kolm_cli.report import charts
from kolm_cli.report.charts import Chart
from kolm_cli.report.facts import Facts

MOST_MEASURED = 2_000


def lengths(facts: Facts) -> Iterator[Chart]:
    """What the bundle says, and what the pack says when it is here."""
    answers = [len(row.accepted[0]) for row in facts.stored.pack if row.accepted]
    if answers:
        yield charts.histogram(
            "Length of the accepted answers", {"": answers}, "characters", note=_half(answers)
        )
    said = [len(text) for text in (facts.stored.predictions or {}).values() if text is not None]
    if said:
        yield charts.histogram(
            "Length of the adapter's answers", {"": said}, "characters", note=_half(said)
        )
    rows = list(facts.pack.values())[:MOST_MEASURED]
    asked = [sum(len(m.text) for m in row.conversation.messages[:-1]) for row in rows]
    if asked:
        yield charts.histogram(
            "Length of the questions", {"": asked}, "characters", note=_half(asked)
        )
    given, shown = _sides(facts, "size"), _sides(facts, "shown")
    if given and shown:
        yield charts.histogram(
            "Longer side of the pictures",
            {"as given": given, "as shown to the model": shown},
            "pixels",
        )
    elif measured := _measured(facts):
        yield charts.histogram("Longer side of the pictures", {"": measured}, "pixels")
    tokens = [one["tokens"] for one in facts.shown if _is_size(one.get("tokens"))]
    if tokens:
        yield charts.histogram("Tokens of a picture", {"": tokens}, "tokens", note=_half(tokens))


def _half(values: list[int]) -> str:
    return f"Half of them have at most {median(values):g}, the longest {max(values)}."


def _sides(facts: Facts, name: str) -> list[int]:
    return [max(one[name]) for one in facts.shown if _is_pair(one, name)]


def _is_pair(said: Mapping[str, Any], name: str) -> bool:
    sides = said.get(name)
    return isinstance(sides, list) and len(sides) == 2 and all(map(_is_size, sides))


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 24


def _measured(facts: Facts) -> list[int]:
    """The longer side of each picture of the pack, where the bundle does not list them."""
    rows = list(facts.pack.values())[:MOST_MEASURED]
    sides = []
    for source in {sha256: image for row in rows for sha256, image in row.images.items()}.values():
        try:
            sides.append(max(upright_size(source.read())))
        except (ImageError, KolmError, OSError):
            continue
    return sides
