"""`kolm plan`: from a spec to what it needs of a graphics card, without one and without weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kolm_cli.core.errors import InputError, KolmError, LackingError, Problem, raise_if_any
from kolm_cli.core.progress import Progress, Silent
from kolm_cli.families.catalog import by_config
from kolm_cli.families.resolve import Base, resolve_base
from kolm_cli.plan.cards import ASSUMED, CARDS, Card
from kolm_cli.plan.published_models import Published, published_models
from kolm_cli.records.row import Row
from kolm_cli.scoring.metrics.catalog import names as metric_names
from kolm_cli.spec.load import LoadedSpec, load_spec
from kolm_cli.spec.model import Spec

if TYPE_CHECKING:
    from kolm_cli.encoding.encoder import Encoder
    from kolm_cli.plan.counts import StepCounts
    from kolm_cli.plan.fit import Weights
    from kolm_cli.plan.planned import Planned
    from kolm_cli.plan.row_tokens import RowTokens

# Rows whose tokens are counted, unless all are asked for: enough for a steady p95.
LOOKED_AT = 256
RANKS = (2, 4, 8)


@dataclass(frozen=True)
class PlannedBase:
    """The base of a plan: its files, or what is published about it.

    Attributes:
        name: the hub id or the folder's name.
        base: its files; None when they are not here.
        published: what is known instead.
    """

    name: str
    base: Base | None
    published: Published | None


def find_base(loaded: LoadedSpec) -> PlannedBase:
    """The base's configuration, processor and tokenizer; else the published numbers.

    Raises:
        LackingError: neither is here.
    """
    spec = loaded.spec
    try:
        base = resolve_base(
            str(loaded.base_folder) if loaded.base_folder else spec.base.model,
            spec.base.revision,
            trust_remote_code=spec.base.trust_remote_code,
            weights=False,
        )
    except LackingError:
        known = published_models().get(spec.base.model)
        if known is None:
            raise
        return PlannedBase(known.model, None, known)
    return PlannedBase(base.name, base, None)


def plan_spec(
    path: Path,
    *,
    card: Card | None = None,
    usd_per_hour: float | None = None,
    every_row: bool = False,
    advise: bool = True,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Plan a run.

    Args:
        path: the spec file.
        card: the card to judge for; all are listed anyway.
        usd_per_hour: what an hour of it costs; the spec's `evaluate.usd_per_hour` when None.
        every_row: count the tokens of every row, not of some.
        advise: try changes, each of which is counted again.
        progress: told of each stage.

    Raises:
        InputError: the spec or its data is wrong, or no row can be used.
        LackingError: the base is not on this machine, and nothing is known of it.
    """
    shown = progress or Silent()
    shown.stage("read spec")
    loaded = load_spec(path, metrics=metric_names())
    found = find_base(loaded)
    rows = _rows(loaded, "train")
    from kolm_cli.plan.planned import Planned

    shown.stage("load processor")
    encoder = _encoder(loaded.spec, found)
    config = found.base.config if found.base else (found.published or _nothing()).config
    planned = Planned(config, encoder.family, encoder)
    report = _plan(loaded.spec, found, planned, rows, card, usd_per_hour, every_row, advise, shown)
    if advise:
        _add_evaluation(report, loaded)
    return report


def _add_evaluation(report: dict[str, Any], loaded: LoadedSpec) -> None:
    """The time of the answers, if each is as long as it may be: the base's and the adapter's."""
    evaluate = loaded.spec.evaluate
    rounds = -(-len(_rows(loaded, "eval")) // evaluate.batch_size)
    for line in report["cards"]:
        seconds = 2 * rounds * evaluate.max_new_tokens * line["seconds_a_token"]
        whole = seconds + 3600 * line["hours"]
        line["evaluation_hours"] = round(seconds / 3600, 6)
        line["share_not_training"] = round(seconds / whole, 4)


def _nothing() -> Published:
    raise KolmError("a plan without a base")


def _rows(loaded: LoadedSpec, side: Literal["train", "eval"]) -> list[Row]:
    from kolm_cli.pipeline.inputs import Data

    source = loaded.train_source if side == "train" else loaded.eval_source
    rows = Data(source, loaded.spec.data).rows()
    raise_if_any(rows.problems)
    if not rows.rows:
        raise InputError(Problem("it has no rows", where=f"data.{side}"))
    return list(rows.rows)


def _encoder(spec: Spec, found: PlannedBase) -> Encoder:
    from kolm_cli.families.image_limits import ImageLimits
    from kolm_cli.pipeline.preflight import encoder_for, limits_of
    from kolm_cli.plan.stand_in import StandInEncoder, image_id, stand_in_processor

    images = ImageLimits(**spec.data.images.model_dump())
    if found.base is not None:
        return encoder_for(spec, found.base)
    published = found.published or _nothing()
    family = by_config(published.config)
    if family is None:
        raise InputError(Problem("no family claims it", where=published.model))
    family.register()
    processor = stand_in_processor(family, published)
    family.limit_images(processor, images)
    limits = replace(limits_of(spec), fit=images.resize == "fit")
    return StandInEncoder(family, processor, limits, spec.train.loss_on, image_id(published.config))


def _plan(
    spec: Spec,
    found: PlannedBase,
    planned: Planned,
    rows: list[Row],
    card: Card | None,
    usd_per_hour: float | None,
    every_row: bool,
    advise: bool,
    shown: Progress,
) -> dict[str, Any]:
    from kolm_cli.plan.advice import changes, checkpointing
    from kolm_cli.plan.fit import seconds
    from kolm_cli.trainer.schedule import steps_of

    tokens, by_id = _look_at(planned.encoder, rows, every_row, shown)
    train, batch = spec.train, spec.train.per_device_train_batch_size
    order = [fact.id for fact in sorted(tokens.counted, key=lambda fact: -fact.tokens)]
    largest = [by_id[order[i % len(order)]] for i in range(batch)]
    middle = [by_id[order[min(len(order) - 1, len(order) // 2 + i)]] for i in range(batch)]
    text = [by_id[id] for id in order if not by_id[id].conversation.images][:batch]
    shown.stage("count the largest step")
    worst = planned.step(train, largest)
    shown.stage("count a middling step")
    usual = planned.step(train, middle)
    shown.stage("count it with checkpointing turned over")
    turned = checkpointing(planned, train, largest)
    steps = steps_of(len(rows), train, spec.launch.num_processes)
    weights = planned.weights(train)
    report: dict[str, Any] = {
        "name": spec.name,
        "base": {
            "model": found.name,
            "family": planned.family.name,
            "source": "files" if found.base else "published numbers",
            "sources": list(found.published.sources) if found.published else [],
        },
        "rows": tokens.as_json(batch),
        "steps": steps,
        "largest": worst.as_json(),
        "usual": usual.as_json(),
        "text_only": planned.step(train, text).as_json() if len(text) == batch else None,
        "memory": _memory(worst, turned.counts, weights, checkpointed=train.gradient_checkpointing),
        "cards": [
            _card(each, worst, usual, steps, usd_per_hour or spec.evaluate.usd_per_hour, spec)
            for each in CARDS.values()
        ],
        "answered_token": None,
        "card": card.name if card else None,
        "assumed": asdict(ASSUMED),
        "advice": [],
    }
    if advise:
        shown.stage("count an answered token")
        work, sizes = planned.answered_token(train, middle[0])
        report["answered_token"] = work.as_json()
        for line in report["cards"]:
            token = seconds(sizes, work.total, CARDS[line["card"]], bf16=train.bf16).total
            line["seconds_a_token"] = round(token, 6)
        shown.stage("try changes")
        for index, change in enumerate(changes(planned, train, largest)):
            shown.advance(index + 1)
            report["advice"].append(_advice(change, worst, card, bf16=train.bf16))
    return report


def _look_at(
    encoder: Encoder, rows: list[Row], every_row: bool, shown: Progress
) -> tuple[RowTokens, dict[str, Row]]:
    """Count tokens of the rows, or of some of them, evenly spread."""
    from kolm_cli.encoding.row_checks import check_rows
    from kolm_cli.plan.row_tokens import RowTokens

    step = 1 if every_row else max(1, -(-len(rows) // LOOKED_AT))
    some = rows[::step]
    shown.stage("count tokens", len(some), "rows")
    checked = check_rows(encoder, some, progress=shown)
    refused = [(problem.where, problem.what) for problem in checked.problems]
    if not checked.rows:
        raise InputError(*checked.problems, hint=checked.hint(encoder) if checked.too_long else "")
    if hint := checked.hint(encoder) if checked.too_long else "":
        shown.note(hint)
    return RowTokens(len(rows), checked.rows, refused), {row.id: row for row in some}


def _memory(
    worst: StepCounts, turned: StepCounts, weights: Weights, *, checkpointed: bool
) -> list[dict[str, Any]]:
    """Live bytes and needed bytes, as the spec is and otherwise."""
    from kolm_cli.plan.fit import needed, sharded, with_nf4

    names = ("with checkpointing", "without checkpointing")
    as_is, other = names if checkpointed else names[::-1]
    peaks = {as_is: worst.peak, other: turned.peak}
    lines = [{"what": name, "counted": True, "live": peak.bytes} for name, peak in peaks.items()]
    smallest = min(peaks.items(), key=lambda item: item[1].bytes)
    lines.append(
        {
            "what": f"{smallest[0]}, base in nf4",
            "counted": False,
            "live": with_nf4(smallest[1], weights),
        }
    )
    lines += [
        {
            "what": f"{smallest[0]}, a rank of {ranks} under FSDP2",
            "counted": False,
            "live": sharded(smallest[1], weights, ranks),
        }
        for ranks in RANKS
    ]
    return [{**line, "needed": needed(int(str(line["live"])))} for line in lines]


def _card(
    card: Card,
    worst: StepCounts,
    usual: StepCounts,
    steps: int,
    usd_per_hour: float | None,
    spec: Spec,
) -> dict[str, Any]:
    """What the run is on one card."""
    from kolm_cli.plan.fit import fit, step_seconds

    bf16 = spec.train.bf16
    judged = fit(worst.peak.bytes, card)
    possible = not bf16 or card.bf16 > 0
    second = step_seconds(usual, card, bf16=bf16)
    hours = steps * second / 3600
    return {
        "card": card.name,
        "title": card.title,
        "source": card.source,
        "memory": card.memory,
        "needed": judged.needed,
        "fits": judged.fits and possible,
        "why": "" if possible else "it has no bf16; write train: {bf16: false}",
        "seconds_a_step": round(second, 3),
        "hours": round(hours, 6),
        "usd": None if usd_per_hour is None else round(hours * usd_per_hour, 2),
    }


def _advice(change: Any, worst: StepCounts, card: Card | None, *, bf16: bool) -> dict[str, Any]:
    """One change and its effect on the largest step."""
    from kolm_cli.plan.fit import fit, step_seconds

    judge = card or CARDS["a100-80gb"]
    return {
        "write": change.write,
        "cost": change.cost,
        "live": change.counts.peak.bytes,
        "saves": worst.peak.bytes - change.counts.peak.bytes,
        "fits": fit(change.counts.peak.bytes, judge).fits,
        "seconds_a_step": round(step_seconds(change.counts, judge, bf16=bf16), 3),
        "kernels": change.counts.step.total.kernels,
    }


def too_large(report: dict[str, Any]) -> str:
    """Why the plan does not fit its card; empty when it does, or when there is none."""
    line = next((each for each in report["cards"] if each["card"] == report["card"]), None)
    if line is None or line["fits"]:
        return ""
    if line["why"]:
        return f"{line['title']}: {line['why']}"
    return (
        f"it needs {line['needed'] / 1e9:.1f} GB, and {line['title']} has"
        f" {line['memory'] / 1e9:.1f} GB"
    )


def fitting(report: dict[str, Any]) -> Sequence[str]:
    """The changes that would make it fit its card."""
    return [line["write"] for line in report["advice"] if line["fits"]]
