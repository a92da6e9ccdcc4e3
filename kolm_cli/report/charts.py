"""Charts as SVG, drawn by matplotlib: text stays text, and nothing in them runs or is fetched."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kolm_cli.core.errors import LackingError, Problem
from kolm_cli.core.printable import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Each has a contrast of at least 4.5 to 1 against white, and they differ in lightness too.
OWN, BASE, BEFORE = "#1d4ed8", "#6b7280", "#b45309"
INK = "#1f2937"
# Inches: a chart is as wide as a phone at the size of its text, and grows no further than that.
_WIDTH = 4.6
_BINS = 24
_ID = re.compile(r' id="([^"]*)"')
_REFERENCE = re.compile(r'(?:url\(#|href="#)([^)"]*)')


@dataclass(frozen=True)
class Chart:
    """A chart of a report.

    Attributes:
        title: what it shows.
        svg: the drawing.
        header: the columns of the same as a table.
        rows: its rows.
        note: a sentence beneath.
    """

    title: str
    svg: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def require_matplotlib() -> None:
    """Find the library before anything is read.

    Raises:
        LackingError: it is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise LackingError(
            Problem("the charts need matplotlib", fix="pip install 'kolm-cli[report]'")
        ) from error


def bars(
    title: str,
    labels: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    *,
    intervals: Mapping[str, Sequence[tuple[float, float] | None]] | None = None,
    note: str = "",
) -> Chart:
    """Horizontal bars of shares, one color a series.

    Args:
        title: what is shown.
        labels: what each group of bars is of.
        series: name to a share for each label; None draws nothing.
        intervals: name to the interval of each share.
        note: a sentence beneath.
    """
    colors = dict(zip(series, (OWN, BASE, BEFORE), strict=False))
    thickness = 0.8 / len(series)
    figure, axes = _figure(0.9 + 0.24 * len(labels) * (len(series) + 0.5))
    for place, (name, values) in enumerate(series.items()):
        for row, value in enumerate(values):
            if value is None:
                continue
            y = row + (place - (len(series) - 1) / 2) * thickness
            label = name if row == _first(values) else None
            axes.barh(y, value, thickness * 0.9, color=colors[name], label=label)
            interval = (intervals or {}).get(name, [None] * len(values))[row]
            end = value
            if interval is not None:
                axes.plot(interval, [y, y], color=INK, linewidth=1.2, solid_capstyle="butt")
                end = max(value, interval[1])
            axes.text(end + 0.015, y, f"{value:.2f}", va="center", fontsize=8, color=INK)
    axes.set_yticks(range(len(labels)), [_label(text) for text in labels])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.14)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    if len(series) > 1:
        figure.legend(loc="outside upper left", ncols=len(series), frameon=False, fontsize=9)
    rows = [
        [
            text,
            *(_cell(values[i], (intervals or {}).get(name), i) for name, values in series.items()),
        ]
        for i, text in enumerate(labels)
    ]
    return Chart(title, _svg(figure, title), ["", *series], rows, note)


def lines(
    title: str,
    steps: Sequence[float],
    series: Mapping[str, Sequence[float | None]],
    *,
    logarithmic: bool = False,
    note: str = "",
) -> Chart:
    """Curves over the steps of a training."""
    from matplotlib.ticker import LogLocator

    figure, axes = _figure(2.3)
    styles = ("-", "--", ":")
    for place, (name, values) in enumerate(series.items()):
        points = [(s, v) for s, v in zip(steps, values, strict=True) if v is not None]
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        color, style = (OWN, BASE, BEFORE)[place % 3], styles[place % 3]
        marker = "o" if len(points) < 3 else ""
        axes.plot(xs, ys, style, color=color, label=_label(name), linewidth=1.6, marker=marker)
    if logarithmic and all(v is None or v > 0 for values in series.values() for v in values):
        axes.set_yscale("log")
        # The usual labels of such an axis are formulas.
        for axis in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            axis(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    axes.set_xlabel("step")
    if len(series) > 1:
        figure.legend(loc="outside upper left", ncols=len(series), frameon=False, fontsize=9)
    every = max(1, len(steps) // 12)
    rows = [
        [f"{step:g}", *(_figure_of(values[i]) for values in series.values())]
        for i, step in enumerate(steps)
        if i % every == 0 or i == len(steps) - 1
    ]
    return Chart(title, _svg(figure, title), ["step", *series], rows, note)


def histogram(
    title: str, series: Mapping[str, Sequence[int]], unit: str, *, note: str = ""
) -> Chart:
    """How often a size occurs; several series stand side by side."""
    from matplotlib.ticker import MaxNLocator

    figure, axes = _figure(1.9)
    everything = [value for values in series.values() for value in values]
    low, high = min(everything), max(everything)
    width = max(1, -(-(high - low + 1) // _BINS))
    edges = [low - 0.5 + width * i for i in range((high - low) // width + 2)]
    drawn: Any = axes.hist(
        list(series.values()), bins=edges, color=[OWN, BASE, BEFORE][: len(series)], rwidth=0.9,
        label=list(series),
    )  # fmt: skip
    counts = drawn[0] if len(series) > 1 else [drawn[0]]
    axes.set_xlabel(unit)
    axes.set_ylabel("how many")
    # A lone bar is no wall.
    axes.set_xlim(min(edges[0], low - 3), max(edges[-1], high + 3))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, nbins=8))
    if len(series) > 1:
        figure.legend(loc="outside upper left", ncols=len(series), frameon=False, fontsize=9)
    rows = [
        [
            f"{first:,}" if width == 1 else f"{first:,} to {first + width - 1:,}",
            *(f"{int(count[i])}" for count in counts),
        ]
        for i, first in enumerate(range(low, high + 1, width))
        if any(count[i] for count in counts)
    ]
    header = [name or "how many" for name in series]
    return Chart(title, _svg(figure, title), [unit, *header], rows, note)


def stacked(title: str, parts: Mapping[str, Mapping[str, int]], *, note: str = "") -> Chart:
    """What of each part of a model was frozen and trained; each bar is a whole part."""
    kinds = {"frozen": ("#9ca3af", ""), "lora": (OWN, ""), "full": (BEFORE, "//")}
    words = {"frozen": "frozen", "lora": "LoRA, trained", "full": "trained in full"}
    figure, axes = _figure(0.9 + 0.42 * len(parts))
    used: set[str] = set()
    for row, counts in enumerate(parts.values()):
        total, left = max(1, sum(counts.values())), 0.0
        for kind, (color, hatch) in kinds.items():
            width = counts.get(kind, 0) / total
            if not width:
                continue
            # What is trained is little, and must be seen.
            width = max(width, 0.012)
            label = None if kind in used else words[kind]
            axes.barh(
                row, width, 0.6, left=min(left, 1 - width), color=color, hatch=hatch,
                edgecolor="white", linewidth=0.6, label=label,
            )  # fmt: skip
            used.add(kind)
            left += width
        axes.text(1.015, row, _count(sum(counts.values())), va="center", fontsize=8, color=INK)
    axes.set_yticks(range(len(parts)), [_label(name) for name in parts])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.16)
    axes.set_xticks([])
    figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=9)
    rows = [
        [name, *(f"{counts.get(kind, 0):,}" for kind in kinds)] for name, counts in parts.items()
    ]
    return Chart(title, _svg(figure, title), ["part", *words.values()], rows, note)


def _figure(height: float) -> tuple[Figure, Axes]:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"font.family": "sans-serif", "text.parse_math": False, "font.size": 9}):
        figure = Figure(figsize=(_WIDTH, min(height, 30)), layout="constrained")
        axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9, colors=INK)
    axes.grid(axis="both", color="#e5e7eb", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _svg(figure: Any, title: str) -> str:
    from matplotlib import rc_context

    stream = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": title, "text.parse_math": False}):
        figure.savefig(stream, format="svg", metadata=nothing)
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'<style type="text/css">.*?</style>', "", text, flags=re.DOTALL)
    used = set(_REFERENCE.findall(text))
    # Several charts are in one page, where an id may occur once.
    text = _ID.sub(lambda found: found[0] if found[1] in used else "", text)
    size = re.search(r'viewBox="0 0 ([0-9.]+)', text)
    width = f"{float(size[1]):.0f}" if size else "331"
    head = text[: text.index(">")]
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    return f'{head} width="{width}pt" aria-hidden="true" focusable="false"{text[text.index(">") :]}'


def _first(values: Sequence[float | None]) -> int:
    return next((i for i, value in enumerate(values) if value is not None), -1)


def _label(text: str) -> str:
    """A name out of a bundle, for an axis."""
    text = one_line(text)
    return text if len(text) <= 24 else f"{text[:23]}…"


def _cell(value: float | None, intervals: Sequence[Any] | None, place: int) -> str:
    if value is None:
        return "-"
    interval = intervals[place] if intervals else None
    between = f" ({interval[0]:.4f} to {interval[1]:.4f})" if interval else ""
    return f"{value:.4f}{between}"


def _figure_of(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _count(value: int) -> str:
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return str(value)
