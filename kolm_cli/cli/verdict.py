"""What a result is worth, in a few lines for a person: accuracy, comparisons, gates, mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kolm_cli.core.printable import one_line
from kolm_cli.scoring.gate import certainty

_LONGEST = 60
Report = Mapping[str, Any]


def lines_of(report: Report) -> Iterator[tuple[str, str]]:
    """Label and text of each line; an empty label continues the line before."""
    score = report["k_score"]
    if "during" in report:
        yield "training", training_text(report["during"])
    if "base_accuracy" in report:
        yield "base accuracy", with_interval(report["base_accuracy"], report.get("base_ci95"))
    yield "accuracy", with_interval(report["accuracy"], score["accuracy_ci95"])
    for against, text in comparisons(report):
        yield "", f"{text} {against}"
    if worst := worst_group(report):
        yield "worst group", worst
    if report.get("cut_answers"):
        yield "cut", cut_text(report)
    yield "K", f"{k_text(report)}  ({axes_text(score['axes'])})"
    if "latency" in report:
        yield "latency", latency_text(report["latency"])
    for number, (name, sides) in enumerate(report.get("plan", {}).items()):
        if sides["planned"] is not None:
            yield "" if number else "plan", plan_text(name, sides)
    yield "gate", "passed" if report["gate"]["passed"] else "NOT MET"
    for ruling in report.get("rulings", ()):
        yield "", ruling_text(ruling)


def plan_text(name: str, sides: Mapping[str, Any]) -> str:
    """What was planned, and what came of it."""
    what, unit, scale = {
        "seconds_a_step": ("a step", "s", 1.0),
        "bytes": ("memory", "GB", 1e9),
    }[name]
    planned = f"{what}: {sides['planned'] / scale:.3f} {unit} planned"
    if sides["measured"] is None:
        return f"{planned}, {sides['why']}"
    times = f" ({sides['times']:.2f} times)" if sides["times"] is not None else ""
    return f"{planned}, {sides['measured'] / scale:.3f} {unit} measured{times}"


def cut_text(report: Report) -> str:
    """How many answers ended at the limit, and which."""
    cut = report["cut_answers"]
    limit = f"{report['max_new_tokens']} tokens" if "max_new_tokens" in report else "max_new_tokens"
    return f"{len(cut)} answers ended at {limit}: {', '.join(cut[:3])}{', …' if cut[3:] else ''}"


def training_text(during: Mapping[str, Any]) -> str:
    """How far a training went that was evaluated on its way, and what was kept of it."""
    trained, planned, kept = (
        during[name] for name in ("steps_trained", "steps_planned", "kept_step")
    )
    text = f"{trained} steps"
    if trained < planned:
        text = f"stopped early at step {trained} of {planned}"
    if during["keep"] == "best":
        text += f"; step {kept} is kept, the best of {len(during['evaluations'])} evaluations"
    found = next(one for one in during["evaluations"] if one["step"] == kept)
    loss = "not finite" if found["loss"] is None else f"{found['loss']:.4f}"
    where = "outside the score" if during["held_out"] else "of the pack"
    rows = f"{during['rows']} rows {where}"
    return f"{text} (there accuracy {found['accuracy']:.4f}, loss {loss} on {rows})"


def with_interval(value: float, interval: Sequence[float] | None) -> str:
    """An accuracy with its 95 % interval."""
    if interval is None:
        return f"{value:.4f}"
    if interval[0] == interval[1]:  # resampling shows no spread, which is not to be sure
        return f"{value:.4f}  (every row scored alike)"
    return f"{value:.4f}  (95 %: {interval[0]:.4f} to {interval[1]:.4f})"


def comparisons(report: Report) -> Iterator[tuple[str, str]]:
    """What the adapter was compared with, and what came of it."""
    compared = report.get("compared", {})
    names = {
        "base": "the base",
        "majority": f'the answer "{_cut(compared.get("majority", {}).get("answer", ""))}" to all',
        "previous": str(compared.get("previous", {}).get("against", "")),
        "other": str(compared.get("other", {}).get("name", "")),
        "baseline": str(compared.get("baseline", {}).get("name", "")),
    }
    for key, name in names.items():
        if key in compared and compared[key].get("ci95"):
            yield name, difference_text(compared[key])


def difference_text(found: Mapping[str, Any]) -> str:
    """A paired comparison in words, up to the name of the other."""
    low, high = found["ci95"]
    word = "better than" if low > 0 else "worse than" if high < 0 else "not told apart from"
    return (
        f"{found['difference']:+.4f} ({low:+.4f} to {high:+.4f}; better on {found['wins']},"
        f" worse on {found['losses']}, p {found['p']:.4f}): {word}"
    )


def worst_group(report: Report) -> str:
    """The group with the lowest accuracy; empty where rows have no groups."""
    groups = report.get("groups") or {}
    if not groups:
        return ""
    name, found = min(groups.items(), key=lambda item: (item[1]["accuracy"], item[0]))
    low, high = found["ci95"]
    return (
        f"{_cut(name)}: {found['accuracy']:.4f}  (95 %: {low:.4f} to {high:.4f};"
        f" {found['rows']} rows)"
    )


def k_text(report: Report) -> str:
    """The K-score, or why there is none."""
    k = report["k_score"]["k"]
    return "undefined without usd_per_hour" if k is None else f"{k:.4f}"


def axes_text(axes: Mapping[str, float | None]) -> str:
    """The axes of K in one line."""
    return "  ".join(f"{n} {'-' if v is None else f'{v:.4f}'}" for n, v in axes.items())


def latency_text(latency: Mapping[str, int]) -> str:
    """The median time of an answer with its interval."""
    median, low, high = (latency[key] / 1000 for key in ("latency_us", "low_us", "high_us"))
    return f"{median:.1f} ms  (95 %: {low:.1f} to {high:.1f}, {latency['answers']} answers)"


def ruling_text(ruling: Mapping[str, Any]) -> str:
    """One gate: what was asked, what came, how sure it is."""
    mark = "passed" if ruling["passed"] else "FAILED"
    sure = certainty(ruling)
    return f"{mark}  {ruling['note']}{f'  ({sure})' if sure else ''}"


def mistake_text(mistake: Mapping[str, Any]) -> str:
    """A wrong answer in one line."""
    said = mistake["answer"]
    answer = "no answer" if said is None else f'"{_cut(said)}"'
    cut = ", cut at max_new_tokens" if mistake["cut"] else ""
    right = " or ".join(f'"{_cut(text)}"' for text in mistake["accepted"][:3])
    more = ", ..." if len(mistake["accepted"]) > 3 else ""
    question = _cut(mistake["asked"])
    return f'{mistake["id"]}: "{question}" {answer}{cut}, right is {right}{more}'


def _cut(text: str) -> str:
    """A text that fits into a line."""
    text = one_line(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
