"""A finished compile as Markdown, for the page of a job (`$GITHUB_STEP_SUMMARY`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kolm_cli.cli.verdict import (
    comparisons,
    k_text,
    latency_text,
    mistake_text,
    ruling_text,
    training_text,
    with_interval,
    worst_group,
)
from kolm_cli.core.printable import one_line

# What Markdown or HTML would act on; answers are whatever a model said.
_ACTIVE = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~&@:])")


def summary(report: Mapping[str, Any]) -> str:
    """The page."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    name = report["receipt"]["predicate"]["buildDefinition"]["externalParameters"]["name"]
    verdict = "passed" if report["gate"]["passed"] else "NOT MET"
    yield f"## {_plain(str(name))}: gate {verdict}"
    yield ""
    yield "| | |"
    yield "|---|---|"
    score = report["k_score"]
    rows = [
        ("training", training_text(report["during"]) if "during" in report else ""),
        ("base accuracy", with_interval(report["base_accuracy"], report.get("base_ci95"))),
        ("accuracy", with_interval(report["accuracy"], score["accuracy_ci95"])),
        *(("compared", f"{text} {against}") for against, text in comparisons(report)),
        ("worst group", worst_group(report)),
        ("K", k_text(report)),
        ("latency", latency_text(report["latency"])),
        ("CID", str(report["cid"])),
        ("bundle", str(report["bundle"])),
    ]
    for label, text in rows:
        if text:
            yield f"| {_plain(label)} | {_plain(text)} |"
    for title, lines in (
        ("Gates", [ruling_text(ruling) for ruling in report["rulings"]]),
        ("Worst mistakes", [mistake_text(mistake) for mistake in report["mistakes"]]),
    ):
        if lines:
            yield ""
            yield f"### {title}"
            yield ""
            yield from (f"- {_plain(line)}" for line in lines)


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return _ACTIVE.sub(r"\\\1", one_line(text))
