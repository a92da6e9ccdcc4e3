"""From facts to the page: one HTML file, whose every word is escaped and whose code is known."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from statistics import median
from typing import Any

from kolm_cli.core.errors import KolmError
from kolm_cli.core.progress import Progress
from kolm_cli.records.pictures import ImageError, upright_size
from kolm_cli.report import charts
from kolm_cli.report.charts import Chart
from kolm_cli.report.facts import AXES, Facts, axes_of, block, share
from kolm_cli.report.gallery import KINDS, items_of

AXIS_WORDS = {
    "A": "A accuracy",
    "S": "S size",
    "L": "L latency",
    "C": "C cost",
    "V": "V coverage",
}
MOST_MEASURED = 2_000


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
            headline=_headline(facts),
            scores=_scores(facts),
            score_chart=_score_chart(facts),
            learning=list(_learning(facts)),
            groups=_groups(facts),
            lengths=list(_lengths(facts)),
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
            trained=_trained(facts),
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
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["share"] = lambda value: "-" if value is None else f"{value:.4f}"
    return environment.get_template("page.html.jinja")


def _resource(name: str) -> str:
    return files("kolm_cli.report").joinpath(name).read_text(encoding="utf-8")


def _headline(facts: Facts) -> dict[str, Any]:
    """The verdict, as a person would say it."""
    evaluation = facts.evaluation
    gate = block(evaluation, "gate")
    accuracy, base = share(evaluation.get("accuracy")), share(evaluation.get("base_accuracy"))
    interval = block(evaluation, "k_score").get("accuracy_ci95")
    failed = gate.get("failed")
    return {
        "passed": gate.get("passed") is True,
        "failed": [str(one) for one in failed] if isinstance(failed, list) else [],
        "asked": {name: str(value) for name, value in facts.stored.settings.gate.as_json().items()},
        "accuracy": accuracy,
        "base": base,
        "interval": _pair(interval),
        "k": share(block(evaluation, "k_score").get("k")),
        "metric": str(evaluation.get("metric")),
        "rows": len(facts.stored.pack),
    }


def _scores(facts: Facts) -> list[tuple[str, str]]:
    """Comparisons, in words: by the receipt."""
    lines = []
    for name, found in block(facts.evaluation, "compared").items():
        if not isinstance(found, dict):
            continue
        difference, between = found.get("difference"), _pair(found.get("ci95"), least=-1.0)
        if type(difference) not in (int, float) or between is None:
            continue
        sure = "better" if between[0] > 0 else "worse" if between[1] < 0 else "not told apart"
        lines.append(
            (
                f"against {name}",
                f"{difference:+.4f} (95 %: {between[0]:+.4f} to {between[1]:+.4f}): {sure};"
                f" {found.get('wins')} wins, {found.get('losses')} losses, p {found.get('p')}",
            )
        )
    return lines


def _score_chart(facts: Facts) -> Chart:
    own = axes_of(facts.evaluation)
    answers = facts.stored.base_predictions
    series: dict[str, list[float | None]] = {"adapter": [own[axis] for axis in AXES]}
    base: dict[str, float | None] = {"A": share(facts.evaluation.get("base_accuracy"))}
    if answers:
        base["V"] = sum(said is not None for said in answers.values()) / len(answers)
    series["base"] = [base.get(axis) for axis in AXES]
    if facts.previous is not None:
        before = axes_of(facts.previous)
        series["previous"] = [before[axis] for axis in AXES]
    note = "Of the base, accuracy and coverage are known; size, latency and cost are the adapter's."
    labels = [AXIS_WORDS[axis] for axis in AXES]
    return charts.bars("The axes of K", labels, series, note=note)


def _groups(facts: Facts) -> Chart | None:
    """Accuracy by group, the worst first."""
    found = {
        str(name): (share(one.get("accuracy")), _pair(one.get("ci95")), one.get("rows"))
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
    points = list(facts.curves)
    if not points:
        return
    steps = [float(point["step"]) for point in points]

    def series(name: str) -> list[float | None]:
        values = [point.get(name) for point in points]
        return [_number(value) for value in values]

    yield charts.lines("Loss", steps, {"loss": series("loss")}, logarithmic=True)
    parts = sorted({part for point in points for part in block(point, "rates")})
    rates = {part: [_number(block(p, "rates").get(part)) for p in points] for part in parts}
    if rates:
        yield charts.lines("Learning rates", steps, rates)
    yield charts.lines("Gradient norm before clipping", steps, {"norm": series("grad_norm")})
    yield charts.lines("Tokens a second", steps, {"tokens": series("tokens_per_second")})
    waited, took = series("waited_seconds"), series("seconds")
    part = [
        None if w is None or not t else min(1.0, w / t) for w, t in zip(waited, took, strict=True)
    ]
    yield charts.lines("Share of the time that was spent waiting for data", steps, {"share": part})


def _lengths(facts: Facts) -> Iterator[Chart]:
    """Lengths and sizes, of the pack when it is here, else of the answers in the bundle."""
    answers = [len(row.accepted[0]) for row in facts.stored.pack if row.accepted]
    if answers:
        yield charts.histogram(
            "Length of the accepted answers",
            answers,
            "characters",
            note=f"Half of them have at most {median(answers):.0f}.",
        )
    rows = list(facts.pack.values())[:MOST_MEASURED]
    asked = [sum(len(m.text) for m in row.conversation.messages[:-1]) for row in rows]
    if asked:
        yield charts.histogram("Length of the questions", asked, "characters")
    sizes = []
    for sha256, source in {s: i for row in rows for s, i in row.images.items()}.items():
        try:
            width, height = upright_size(source.read())
        except (ImageError, KolmError, OSError):
            continue
        sizes.append(width * height / 1e6)
        del sha256
    if sizes:
        yield charts.histogram("Size of the pictures", sizes, "megapixels")


def _trained(facts: Facts) -> list[tuple[str, str]]:
    """How it was trained, for a reader."""
    wanted = (
        *("lora_r", "lora_alpha", "lora_targets", "projector", "freeze_vision", "learning_rate"),
        *("projector_learning_rate", "num_train_epochs", "per_device_train_batch_size"),
        *("gradient_accumulation_steps", "seed", "train_examples", "parent"),
    )
    lines = [(name, _words(facts.trained[name])) for name in wanted if name in facts.trained]
    evidence = block(facts.trained, "evidence")
    lines += [(name, str(value)) for name, value in evidence.items() if type(value) is int]
    before, after = evidence.get("frozen_digests_before"), evidence.get("frozen_digests_after")
    if isinstance(before, dict):
        for part in sorted(before):
            same = "unchanged" if before == after else "CHANGED"
            lines.append((f"frozen {part}", f"{same}: {before[part]}"))
    return lines


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _number(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) else None


def _pair(value: Any, *, least: float = 0.0) -> tuple[float, float] | None:
    fits = isinstance(value, list) and len(value) == 2
    if not fits or not all(type(v) in (int, float) and least <= v <= 1 for v in value):
        return None
    return float(value[0]), float(value[1])
