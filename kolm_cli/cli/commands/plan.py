"""`kolm plan`: will it fit, how long, how much, what to change; without weights or a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from kolm_cli.cli.figures import duration, size
from kolm_cli.cli.live import ProgressOption, progress_for
from kolm_cli.cli.options import JsonOption
from kolm_cli.cli.output import Output
from kolm_cli.core.errors import ExitCode, InputError, Problem

_BAR = 30
# Which card a change is judged on when none is named.
_JUDGED = "a100-80gb"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plan")(plan)


def plan(
    spec: Annotated[Path, typer.Argument(help="The spec file.", show_default=False)],
    device: Annotated[
        str | None,
        typer.Option(
            "--device", help="The card it has to fit: a100-80gb, h100, l40s, rtx4090, t4, …"
        ),
    ] = None,
    usd_per_hour: Annotated[
        float | None,
        typer.Option("--usd-per-hour", min=0, help="What an hour of the card costs."),
    ] = None,
    every_row: Annotated[
        bool, typer.Option("--every-row", help="Count the tokens of every row, not of 256.")
    ] = False,
    advice: Annotated[
        bool, typer.Option("--advice/--no-advice", help="Try changes, and count each of them.")
    ] = True,
    progress: ProgressOption = None,
    json: JsonOption = False,
) -> None:
    """Say what a spec needs of a GPU: memory, time, money."""
    from kolm_cli.pipeline.plan import fitting, plan_spec, too_large
    from kolm_cli.plan.cards import CARDS

    output = Output(as_json=json)
    if device is not None and device not in CARDS:
        raise InputError(
            Problem(
                f"no card is called {device!r}", where="--device", fix=f"one of {', '.join(CARDS)}"
            )
        )
    card = CARDS[device] if device else None
    with progress_for(output, progress) as shown:
        report = plan_spec(
            spec,
            card=card,
            usd_per_hour=usd_per_hour,
            every_row=every_row,
            advise=advice,
            progress=shown,
        )
    if json:
        output.json(report)
    else:
        for line in _lines(report):
            output.data(line)
    if reason := too_large(report):
        output.note(f"does not fit: {reason}")
        for change in fitting(report):
            output.note(f"it would fit with {change}")
        raise typer.Exit(ExitCode.GATE)


def _lines(report: dict[str, Any]) -> Iterator[str]:
    base = report["base"]
    yield f"{report['name']}: {base['model']} ({base['family']}), {report['steps']} steps"
    if base["source"] != "files":
        yield "  from published numbers: text is counted at four bytes a token"
    yield ""
    yield from _rows(report["rows"])
    yield ""
    yield from _memory(report)
    yield ""
    yield from _cards(report)
    if report["answered_token"]:
        work = report["answered_token"]
        card = report["card"] or _JUDGED
        line = next(each for each in report["cards"] if each["card"] == card)
        yield (
            f"an answered token, one row at a time: {work['kernels']:,} kernels,"
            f" {size(work['read'])} read, {line['seconds_a_token'] * 1000:.1f} ms on {card}"
        )
        yield (
            f"answers of base and adapter: {duration(line['evaluation_hours'] * 3600)} on {card} if"
            f" all are as long as they may be, {line['share_not_training']:.0%} of the whole"
        )
    if report["advice"]:
        yield ""
        yield from _advice(report)
    yield ""
    yield from _assumed(report["assumed"])


def _rows(rows: dict[str, Any]) -> Iterator[str]:
    of = "" if rows["looked_at"] == rows["rows"] else f" ({rows['looked_at']} looked at)"
    yield f"rows         {rows['rows']:,}{of}"
    yield f"  {'tokens a row':<14}{'min':>8}{'median':>8}{'p95':>8}{'max':>8}"
    for name, key in (("all", "tokens"), ("image", "image"), ("text", "text")):
        values = rows[key]
        yield f"  {name:<14}" + "".join(f"{values[k]:>8,}" for k in ("min", "median", "p95", "max"))
    most = max(step["rows"] for step in rows["histogram"])
    for step in rows["histogram"]:
        bar = "█" * max(1 if step["rows"] else 0, round(_BAR * step["rows"] / most))
        yield f"  {step['from']:>6,} to {step['below'] - 1:<6,} {bar} {step['rows']:,}"
    if rows["cut"]:
        tokens = sum(row["tokens"] for row in rows["cut"])
        yield f"  cut          {len(rows['cut'])} rows, by {tokens:,} tokens"
    if rows["refused"]:
        first = rows["refused"][0]
        yield f"  refused      {len(rows['refused'])} rows; {first['row']}: {first['why']}"
    if rows["padding"]:
        yield f"  padding      {rows['padding']:.0%} of a micro-batch"


def _memory(report: dict[str, Any]) -> Iterator[str]:
    yield "memory of the largest step, on one card"
    for line in report["memory"]:
        how = "" if line["counted"] else "  (estimated; kolm cannot do it yet)"
        live, needed = size(line["live"]), size(line["needed"])
        yield f"  {line['what']:<48}{live:>10} live{needed:>10} needed{how}"
    yield "  made of"
    for kind, count in report["largest"]["peak"]["made_of"].items():
        yield f"    {kind:<22}{size(count):>10}"


def _cards(report: dict[str, Any]) -> Iterator[str]:
    yield f"{'card':<12}{'memory':>10}  {'fits':<5}{'s a step':>10}{'time':>10}{'USD':>9}"
    for line in report["cards"]:
        money = "" if line["usd"] is None else f"{line['usd']:.2f}"
        name = line["card"] + ("*" if line["card"] == report["card"] else "")
        fits = "yes" if line["fits"] else "no"
        yield (
            f"{name:<12}{size(line['memory']):>10}  {fits:<5}"
            f"{line['seconds_a_step']:>10.2f}{duration(line['hours'] * 3600):>10}{money:>9}"
            + (f"  {line['why']}" if line["why"] else "")
        )
    work = report["largest"]["step"]
    yield (
        f"a largest step: {work['flops'] / 1e12:,.1f} TFLOP, {size(work['read'] + work['written'])}"
        f" moved, {work['kernels']:,} kernels, {work['waits']:,} waits"
    )


def _advice(report: dict[str, Any]) -> Iterator[str]:
    card = report["card"] or _JUDGED
    yield f"what a change does to the largest step on {card}"
    for line in report["advice"]:
        saves = f"{'less' if line['saves'] > 0 else 'more'} by {size(abs(line['saves']))}"
        yield (
            f"  {line['write']}: {size(line['live'])} live ({saves}),"
            f" {line['seconds_a_step']:.2f} s a step"
            + (f"; {line['cost']}" if line["cost"] else "")
        )


def _assumed(assumed: dict[str, Any]) -> Iterator[str]:
    yield (
        f"assumed: {assumed['math']:.0%} of a sheet's operations, {assumed['bandwidth']:.0%} of its"
        f" bandwidth, {assumed['launch_seconds'] * 1e6:.0f} us a kernel,"
        f" {assumed['wait_seconds'] * 1e6:.0f} us a wait,"
    )
    yield (
        f"  {size(assumed['context'])} of CUDA context, {assumed['slack']:.0%} more than live"
        " tensors; loading, checks and the reading of prompts are not in the time"
    )
