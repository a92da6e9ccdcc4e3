"""From facts to the page: one HTML file, whose every word is escaped and whose code is known."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from kolm_cli.core.printable import printable
from kolm_cli.core.progress import Progress
from kolm_cli.report import charts, words
from kolm_cli.report.charts import Chart
from kolm_cli.report.evaluated import evaluated
from kolm_cli.report.facts import AXES, Facts, axes_of, block, number, pair, share
from kolm_cli.report.gallery import KINDS, items_of
from kolm_cli.report.lengths import lengths

AXIS_WORDS = {
    "A": "A accuracy",
    "S": "S size",
    "L": "L latency",
    "C": "C cost",
    "V": "V coverage",
}


@dataclass(frozen=True)
class Options:
    """What a report holds.

    Attributes:
        rows: at most so many evaluation rows.
        pictures: whether they show pictures.
    """

    rows: int = 200
    pictures: bool = True


def render(facts: Facts, options: Options, progress: Progress) -> str:
    """The page.

    Raises:
        LackingError: matplotlib is not installed.
        VerificationError: the answers in the bundle cannot be scored.
    """
    charts.require_matplotlib()
    items = items_of(facts, limit=options.rows, pictures=options.pictures, progress=progress)
    progress.stage("draw")
    counts = {kind: sum(item.kind == kind for item in items) for kind in KINDS}
    script, style = _resource("page.js"), _resource("page.css")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return str(
        _template().render(
            facts=facts,
            headline=words.headline(facts),
            gates=words.gates(facts),
            scores=words.scores(facts),
            score_chart=_score_chart(facts),
            learning=list(_learning(facts)),
            groups=_groups(facts),
            lengths=list(lengths(facts)),
            plan=words.plan(facts),
            unplanned=words.unplanned(facts),
            servers=words.servers(facts),
            served=_served(facts),
            parts=charts.stacked(
                "Frozen and trained, by part",
                facts.tensors,
                note="Each bar is the whole of a part. What is trained is drawn at least so wide"
                " that it can be seen; the table has the numbers.",
            ),
            items=items,
            counts=counts,
            kinds=KINDS,
            cut=len(facts.stored.pack) - len(items),
            trained=words.trained(facts),
            script=script,
            style=style,
            script_digest=digest,
        )
    )


@cache
def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # Everything from a bundle is a stranger's text: what is put in is escaped, always.
    environment = Environment(
        loader=PackageLoader("kolm_cli.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_readable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["share"] = lambda value: "-" if value is None else f"{value:.4f}"
    return environment.get_template("page.html.jinja")


def _readable(value: Any) -> Any:
    """A stranger's text without what turns the reading direction or steers a terminal.

    What is marked as safe is kolm's own.
    """
    return printable(value) if type(value) is str else value


def _resource(name: str) -> str:
    return files("kolm_cli.report").joinpath(name).read_text(encoding="utf-8")


def _score_chart(facts: Facts) -> Chart:
    own = axes_of(facts.evaluation)
    answers = facts.stored.base_predictions
    series: dict[str, list[float | None]] = {"adapter": [own[axis] for axis in AXES]}
    base: dict[str, float | None] = {"A": share(facts.evaluation.get("base_accuracy"))}
    if answers:
        base["V"] = sum(said is not None for said in answers.values()) / len(answers)
    series["base"] = [base.get(axis) for axis in AXES]
    if facts.previous is not None:
        before = axes_of(facts.previous.evaluation)
        series["previous"] = [before[axis] for axis in AXES]
    note = "Of the base, accuracy and coverage are known; size, latency and cost are the adapter's."
    if facts.previous is not None and facts.previous.pack != facts.pack_digest:
        note += " The previous bundle was scored on other rows."
    labels = [AXIS_WORDS[axis] for axis in AXES]
    return charts.bars("The axes of K", labels, series, note=note)


def _groups(facts: Facts) -> Chart | None:
    """Accuracy by group, the worst first."""
    found = {
        str(name): (share(one.get("accuracy")), pair(one.get("ci95")), one.get("rows"))
        for name, one in block(facts.evaluation, "groups").items()
        if isinstance(one, dict)
    }
    known = sorted((a, name, ci, rows) for name, (a, ci, rows) in found.items() if a is not None)
    if not known:
        return None
    shown = known[:40]
    return charts.bars(
        "Accuracy by group",
        [f"{name} ({rows})" for _, name, _, rows in shown],
        {"adapter": [accuracy for accuracy, *_ in shown]},
        intervals={"adapter": [interval for _, _, interval, _ in shown]},
        note="The number of rows is in brackets; lines are 95 % intervals; worst groups first."
        + (f" {len(known) - len(shown)} better groups are left out." if known[40:] else ""),
    )


def _learning(facts: Facts) -> Iterator[Chart]:
    points = [point for point in facts.curves if "loss" in point]
    yield from evaluated(facts, points)
    if not points:
        return
    steps = [float(point["step"]) for point in points]

    def series(name: str) -> list[float | None]:
        values = [point.get(name) for point in points]
        return [number(value) for value in values]

    if not block(facts.trained, "during"):
        yield charts.lines("Loss", steps, {"loss": series("loss")}, logarithmic=True)
    parts = sorted({part for point in points for part in block(point, "rates")})
    rates = {part: [number(block(p, "rates").get(part)) for p in points] for part in parts}
    if rates:
        yield charts.lines("Learning rates", steps, rates)
    yield charts.lines("Gradient norm before clipping", steps, {"norm": series("grad_norm")})
    yield charts.lines("Tokens a second", steps, {"tokens": series("tokens_per_second")})
    waited, took = series("waited_seconds"), series("seconds")
    part = [
        None if w is None or not t else min(1.0, w / t) for w, t in zip(waited, took, strict=True)
    ]
    yield charts.lines("Share of the time that was spent waiting for data", steps, {"share": part})


def _served(facts: Facts) -> Chart | None:
    """What servers answered, beside the bundle."""
    if not facts.parity:
        return None
    said = [one for one, _, _ in facts.parity]
    return charts.bars(
        "Answers of servers",
        [one.program for one in said],
        {
            "answers alike": [one.equal / one.rows for one in said],
            "accuracy there": [one.accuracy[1] for one in said],
            "accuracy here": [one.accuracy[0] for one in said],
        },
    )
