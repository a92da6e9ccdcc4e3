"""A plan in lines, for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from kolm_cli.cli.figures import duration, size

WIDTH = 80
_BAR = 30


def lines(report: dict[str, Any]) -> Iterator[str]:
    """Everything that a plan says."""
    base = report["base"]
    yield from _wrapped(
        f"{report['name']}: {base['model']} ({base['family']}), {report['steps']:,} steps"
    )
    if base["source"] != "files":
        yield from _wrapped("from published numbers: text is counted at four bytes a token", "  ")
    if report["assumed_rows"]:
        yield from _assumed_rows(report["assumed_rows"])
    yield ""
    yield from _rows(report["rows"])
    yield ""
    yield from _kinds(report)
    yield ""
    yield from _memory(report)
    yield ""
    yield from _cards(report)
    yield from _evaluation(report)
    if report["advice"]:
        yield ""
        yield from _advice(report)
    yield ""
    yield from _times(report)


def _wrapped(text: str, indent: str = "", later: str | None = None) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent if later is None else later,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _assumed_rows(rows: dict[str, Any]) -> Iterator[str]:
    pictures = ", ".join(f"{width} x {height}" for width, height in rows["pictures"])
    yield from _wrapped(
        f"rows are assumed: {rows['rows']:,} alike, "
        + (f"pictures of {pictures}" if pictures else "without pictures")
        + f", the longest answer; {rows['evaluation_rows']:,} rows are answered",
        "  ",
    )


def _rows(rows: dict[str, Any]) -> Iterator[str]:
    of = "" if rows["looked_at"] == rows["rows"] else f" ({rows['looked_at']:,} looked at)"
    yield f"rows         {rows['rows']:,}{of}"
    yield f"  {'tokens a row':<14}{'min':>8}{'median':>8}{'p95':>8}{'max':>8}"
    for name, key in (("all", "tokens"), ("image", "image"), ("text", "text")):
        values = rows[key]
        yield f"  {name:<14}" + "".join(f"{values[k]:>8,}" for k in ("min", "median", "p95", "max"))
    most = max(step["rows"] for step in rows["histogram"])
    for step in rows["histogram"]:
        bar = "█" * max(1 if step["rows"] else 0, round(_BAR * step["rows"] / most))
        last = min(step["below"] - 1, rows["tokens"]["max"])
        yield f"  {step['from']:>6,} to {last:<6,} {bar} {step['rows']:,}"
    if rows["cut"]:
        cut = [row["tokens"] for row in rows["cut"]]
        yield f"  cut          {_count(len(cut))}, by {sum(cut):,} tokens, at most {max(cut):,}"
    if rows["refused"]:
        first = rows["refused"][0]
        yield from _wrapped(
            f"refused      {_count(len(rows['refused']))}; {first['row']}: {first['why']}",
            "  ",
            " " * 15,
        )
    if rows["hint"]:
        yield from _wrapped(f"would fit    {rows['hint']}", "  ", " " * 15)
    yield f"  padding      {rows['padding']:.0%} of a micro-batch"


def _count(rows: int) -> str:
    return f"{rows:,} row" + ("" if rows == 1 else "s")


def _kinds(report: dict[str, Any]) -> Iterator[str]:
    title = f"counted, on {report['judged_on']}"
    yield f"{title:<34}{'in batch':>9}{'live':>11}{'kernels':>12}{'s':>9}"
    for line in report["kinds"]:
        live = size(line["live"])
        yield (
            f"  {line['what']:<32}{line['tokens']:>9,}{live:>11}{line['kernels']:>12,}"
            f"{_seconds(line['seconds_a_step'], 9)}"
        )
    work = report["largest"]["step"]
    yield from _wrapped(
        f"the largest: {_operations(work['flops'])}, {size(work['read'] + work['written'])}"
        f" moved, {work['waits']:,} waits; micro-batches a step:"
        f" {report['largest']['micro_batches']}",
        "  ",
    )


def _operations(count: int) -> str:
    unit, scale = ("TFLOP", 1e12) if count >= 1e12 else ("GFLOP", 1e9)
    return f"{count / scale:,.1f} {unit}"


def _seconds(value: float | None, width: int) -> str:
    return f"{'?':>{width}}" if value is None else f"{value:>{width}.2f}"


def _memory(report: dict[str, Any]) -> Iterator[str]:
    yield f"{'memory of the largest step, on one card':<50}{'live':>11}{'needed':>11}"
    for line in report["memory"]:
        mark = " " if line["counted"] else "~"
        yield f"{mark} {line['what']:<48}{size(line['live']):>11}{size(line['needed']):>11}"
    if not all(line["counted"] for line in report["memory"]):
        yield "~ computed from the counted parts; kolm has neither nf4 nor FSDP2 yet"
    yield "  made of"
    for kind, count in report["largest"]["peak"]["made_of"].items():
        yield f"    {kind:<22}{size(count):>10}"


def _cards(report: dict[str, Any]) -> Iterator[str]:
    yield f"{'card':<12}{'memory':>10}  {'fits':<5}{'s a step':>10}{'time':>12}{'USD':>11}"
    for line in report["cards"]:
        money = "" if line["usd"] is None else f"{line['usd']:,.2f}"
        name = line["card"] + ("*" if line["card"] == report["card"] else "")
        fits = "yes" if line["fits"] else "no"
        hours = "?" if line["hours"] is None else duration(line["hours"] * 3600)
        yield (
            f"{name:<12}{size(line['memory']):>10}  {fits:<5}"
            f"{_seconds(line['seconds_a_step'], 10)}{hours:>12}{money:>11}"
        )
        if line["why"]:
            yield f"  {line['why']}"
    if report["judged_on"] != "cpu":
        smallest = report["smallest_card"]
        yield (
            f"the smallest of these that holds it: {smallest}"
            if smallest
            else "none of these holds it as it is"
        )


def _evaluation(report: dict[str, Any]) -> Iterator[str]:
    work, card = report["answered_token"], report["judged_on"]
    line = next(each for each in report["cards"] if each["card"] == card)
    if not work or "seconds_a_token" not in line:
        return
    yield from _wrapped(
        f"an answered token, one row at a time: {work['kernels']:,} kernels, {size(work['read'])}"
        f" read, {line['seconds_a_token'] * 1000:.1f} ms on {card}"
    )
    yield from _wrapped(
        f"not training: {line['share_not_training']:.0%} of the job on {card}, which is"
        f" {duration(line['evaluation_hours'] * 3600)} for all answers if they are as long as they"
        " may be"
    )


def _advice(report: dict[str, Any]) -> Iterator[str]:
    yield f"what a change does to the largest step on {report['judged_on']}"
    for line in report["advice"]:
        yield from _wrapped(line["write"], "  ", "    ")
        saves = f"{size(abs(line['saves']))} {'less' if line['saves'] >= 0 else 'more'}"
        time = "" if line["seconds_a_step"] is None else f", {line['seconds_a_step']:.2f} s a step"
        fits = "fits" if line["fits"] else "does not fit"
        card = line["smallest_card"] if report["judged_on"] != "cpu" else None
        smallest = f"; smallest card {card}" if card else ""
        yield from _wrapped(
            f"{size(line['live'])} live ({saves}){time}, {fits}{smallest}"
            + (f"; {line['cost']}" if line["cost"] else ""),
            "    ",
        )


def _times(report: dict[str, Any]) -> Iterator[str]:
    given, measured = report["assumed"], report["calibration"]
    if measured and "failed" not in measured:
        spread = f"{min(measured['seconds']):.2f} to {max(measured['seconds']):.2f} s"
        yield from _wrapped(
            f"calibrated: {len(measured['seconds'])} real steps here with {measured['layers']} of"
            f" {measured['of_layers']} layers took {spread}, {measured['times']:.2f} times what is"
            f" counted; that is {measured['share_of_operations']:.0%} of the operations that the"
            " device can do, and all times of this device are with it",
            later="  ",
        )
    elif measured:
        yield from _wrapped(f"not calibrated: {measured['failed']}", later="  ")
    cpu = report["judged_on"] == "cpu"
    word, whose = ("measured", "its") if cpu else ("assumed", "a sheet's")
    yield from _wrapped(
        f"{word}: {given['math']:.0%} of {whose} operations, {given['bandwidth']:.0%} of its"
        f" bandwidth, {given['launch_seconds'] * 1e6:.0f} us a kernel,"
        f" {given['wait_seconds'] * 1e6:.0f} us a wait,"
        f" {size(given['context'])} beside tensors, {given['slack']:.0%} more than live tensors",
        later="  ",
    )
    yield from _wrapped("loading, checks and the reading of prompts are not in the time", "  ")
