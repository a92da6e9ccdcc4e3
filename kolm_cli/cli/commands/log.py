"""`kolm log`: the line of descent of a stored bundle."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kolm_cli.cli.options import JsonOption
from kolm_cli.cli.output import Output

if TYPE_CHECKING:
    from kolm_cli.registry.scores import Generation, Scores


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("log")(log_command)


def log_command(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="BUNDLE", help="A .kolm file, NAME, NAME:TAG or a CID.", show_default=False
        ),
    ],
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many generations.")] = 50,
    json: JsonOption = False,
) -> None:
    """Show what a bundle started from, back to the base, with the score of each."""
    from kolm_cli.bundle.container.open_bundle import open_bundle
    from kolm_cli.registry.index import named
    from kolm_cli.registry.scores import descent
    from kolm_cli.registry.store import Registry

    registry = Registry()
    if Path(reference).is_file():
        with open_bundle(Path(reference)) as opened:
            reference = opened.cid
    entry = registry.resolve(named(registry.index(), reference))
    line = list(islice(descent(registry, entry), limit + 1))
    output = Output(as_json=json)
    if json:
        output.json([_as_json(generation) for generation in line[:limit]])
        return
    rows = [_row(generation) for generation in line[:limit]]
    output.table(("CID", "TAGS", "STORED", "STEPS", "BASE", "ACCURACY", "K", "GATE"), rows)
    if len(line) > limit:
        output.note(f"and earlier ones; --limit shows more than {limit}")
    elif line[-1].stored is None:
        output.note("the last one is not in this registry; the line ends here")


def _row(generation: Generation) -> tuple[str, ...]:
    scores = generation.scores
    return (
        generation.cid,
        " ".join(generation.tags) or "-",
        generation.stored.stored if generation.stored else "not here",
        _steps(scores),
        share(scores.base_accuracy),
        share(scores.accuracy),
        share(scores.k),
        gate(scores.gate_passed),
    )


def _steps(scores: Scores) -> str:
    """The steps of the weights, and of how many where training could end before."""
    if scores.steps is None:
        return "-"
    of = scores.steps_planned
    return str(scores.steps) if of in (None, scores.steps) else f"{scores.steps} of {of}"


def _as_json(generation: Generation) -> dict[str, Any]:
    scores = generation.scores
    return {
        "cid": generation.cid,
        "tags": list(generation.tags),
        "stored": generation.stored.stored if generation.stored else None,
        "steps": scores.steps,
        "steps_planned": scores.steps_planned,
        "base_accuracy": scores.base_accuracy,
        "accuracy": scores.accuracy,
        "k": scores.k,
        "gate_passed": scores.gate_passed,
        "parent": scores.parent,
    }


def share(value: float | None) -> str:
    """A share in four places, `-` when there is none."""
    return "-" if value is None else f"{value:.4f}"


def gate(passed: bool | None) -> str:
    """Whether a gate was met, in a word."""
    return {True: "passed", False: "NOT MET", None: "-"}[passed]
