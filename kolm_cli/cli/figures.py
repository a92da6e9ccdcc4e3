"""Figures in words: durations, sizes, counts, and what is reported beside progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Figures = dict[str, float | str]

_SIZES = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


def duration(seconds: float) -> str:
    """`0:07`, `12:34` or `1:02:03`."""
    minutes, second = divmod(max(0, round(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def age(seconds: float) -> str:
    """How long ago, roughly: `12 s`, `5 min`, `3 h`, `41 d`."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def size(count: float) -> str:
    """Bytes for a person: `12 B`, `3.4 kB`, `120.0 MB`."""
    name, unit = _scale(count)
    return f"{count:.0f} B" if not unit else f"{count / unit:.1f} {name}"


def count(done: float, total: float | None, unit: str = "") -> str:
    """How far a stage is: `1,234/3,000 rows`, `1.3/2.6 MB`, or without a total `1,234 rows`."""
    if unit == "bytes":
        if total is None:
            return size(done)
        name, scale = _scale(total)
        return f"{done / scale:.1f}/{size(total)}" if scale else f"{done:.0f}/{total:.0f} {name}"
    of = "" if total is None else f"/{total:,.0f}"
    return f"{done:,.0f}{of}{unit and ' '}{unit}"


def describe(figures: Mapping[str, float | str]) -> str:
    """The figures in words, the known ones first: `loss 0.1234, 1,234 tokens/s, 1:20 left`."""
    known: dict[str, Callable[[float], str]] = {
        "loss": lambda value: f"loss {value:.4f}",
        "accuracy": lambda value: f"accuracy {value:.4f}",
        "tokens_per_second": lambda value: f"{value:,.0f} tokens/s",
        "eta_seconds": lambda value: f"{duration(value)} left",
    }
    words = [
        show(value)
        for name, show in known.items()
        if isinstance(value := figures.get(name), int | float)
    ]
    for name, value in figures.items():
        if name not in known or isinstance(value, str):
            shown = value if isinstance(value, str) else f"{value:.4g}"
            words.append(f"{name.replace('_', ' ')} {shown}")
    return ", ".join(words)


def _scale(count: float) -> tuple[str, float]:
    """The unit in which a number of bytes is shown, and its size; 0 for bytes themselves."""
    return next(((name, unit) for name, unit in _SIZES if count >= unit), ("B", 0.0))
