"""What a plan says of memory, cards and changes, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kolm_cli.pipeline.plan_rows import LARGEST, StepKinds
from kolm_cli.plan.cards import CARDS, Card
from kolm_cli.plan.counts import Peak, StepCounts
from kolm_cli.plan.fit import Weights, fit, needed, sharded, step_seconds, with_nf4
from kolm_cli.spec.model import Spec

if TYPE_CHECKING:
    from kolm_cli.plan.advice import Change

RANKS = (2, 4, 8)


def memory(
    peaks: Mapping[str, Peak], weights: Weights, card: Card, *, others: bool
) -> list[dict[str, Any]]:
    """Live bytes and needed bytes, as the spec is and otherwise.

    Args:
        peaks: what was counted, by what it is.
        weights: the model's.
        card: whose slack and context are added.
        others: with what kolm cannot do yet, computed from the counted parts.
    """
    lines = [{"what": name, "counted": True, "live": peak.bytes} for name, peak in peaks.items()]
    name, peak = min(peaks.items(), key=lambda item: item[1].bytes)
    if others:
        computed = {f"{name}, base in nf4": with_nf4(peak, weights)} | {
            f"{name}, a rank of {ranks} under FSDP2": sharded(peak, weights, ranks)
            for ranks in RANKS
        }
        lines += [{"what": n, "counted": False, "live": live} for n, live in computed.items()]
    return [{**line, "needed": needed(int(str(line["live"])), card.given)} for line in lines]


def kind_lines(
    kinds: StepKinds, counted: Mapping[str, StepCounts], judge: Card, *, bf16: bool
) -> list[dict[str, Any]]:
    """A line for each kind of step.

    Args:
        kinds: the rows of each.
        counted: what was counted of each.
        judge: the card whose times are said.
        bf16: whether the run has bf16.
    """
    worst = counted[LARGEST]
    return [
        {
            "what": name,
            "tokens": kinds.tokens(name),
            "live": each.peak.bytes,
            "kernels": each.step.total.kernels,
            "seconds_a_step": (
                round(step_seconds(each, judge, bf16=bf16), 3) if judge.source else None
            ),
        }
        for name, each in counted.items()
        # Rows that are all alike make one kind of step.
        if each is not worst or name == LARGEST
    ]


def possible(card: Card, *, bf16: bool) -> bool:
    """Whether the card computes in the run's precision."""
    return not bf16 or card.bf16 > 0


def on_card(
    card: Card,
    worst: StepCounts,
    usual: StepCounts,
    steps: int,
    usd_per_hour: float | None,
    spec: Spec,
) -> dict[str, Any]:
    """What the run is on one card."""
    bf16 = spec.train.bf16
    judged, can = fit(worst.peak.bytes, card), possible(card, bf16=bf16)
    line: dict[str, Any] = {
        "card": card.name,
        "title": card.title,
        "source": card.source,
        "memory": card.memory,
        "needed": judged.needed,
        "fits": judged.fits and can,
        "why": "" if can else "it has no bf16, which the spec trains in",
        "measured": card.given.times != 1.0,
        "seconds_a_step": None,
        "hours": None,
        "usd": None,
    }
    if card.source:
        second = step_seconds(usual, card, bf16=bf16)
        hours = steps * second / 3600
        line |= {"seconds_a_step": round(second, 3), "hours": round(hours, 6)}
        line["usd"] = None if usd_per_hour is None else round(hours * usd_per_hour, 2)
    return line


def changed(change: Change, worst: StepCounts, judge: Card, spec: Spec) -> dict[str, Any]:
    """One change and its effect on the largest step."""
    live, bf16 = change.counts.peak.bytes, spec.train.bf16 and change.bf16
    can = possible(judge, bf16=bf16)
    return {
        "write": change.write,
        "cost": change.cost,
        "live": live,
        "saves": worst.peak.bytes - live,
        "fits": fit(live, judge).fits and can,
        "seconds_a_step": (
            round(step_seconds(change.counts, judge, bf16=bf16), 3) if judge.source else None
        ),
        "kernels": change.counts.step.total.kernels,
        "smallest_card": smallest_card(live, bf16=bf16),
    }


def smallest_card(live: int, *, bf16: bool) -> str | None:
    """The card with the least memory that holds so many live bytes; None when none does."""
    fitting = [
        card for card in CARDS.values() if possible(card, bf16=bf16) and fit(live, card).fits
    ]
    return min(fitting, key=lambda card: card.memory).name if fitting else None


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
