"""`kolm plan`: will it fit, how long, how much, what to change; without weights or a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kolm_cli.cli.live import ProgressOption, progress_for
from kolm_cli.cli.options import JsonOption, SetOption
from kolm_cli.cli.output import Output
from kolm_cli.core.errors import ExitCode, InputError, Problem

MOST_ROWS = 1_000_000_000
MOST_TOKENS = 1_000_000
MOST_USD = 1_000_000


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plan")(plan)


def plan(
    spec: Annotated[Path, typer.Argument(help="The spec file.", show_default=False)],
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            help="The card it has to fit: a100-80gb, h100, l40s, rtx4090, t4, …; here, cuda or cpu"
            " for what this machine has.",
        ),
    ] = None,
    usd_per_hour: Annotated[
        float | None,
        typer.Option("--usd-per-hour", min=0, max=MOST_USD, help="What an hour of the card costs."),
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option(
            "--rows", min=1, max=MOST_ROWS, help="Plan for so many assumed rows, all alike."
        ),
    ] = None,
    pixels: Annotated[
        list[str] | None,
        typer.Option(
            "--pixels",
            metavar="WxH",
            help="A picture of each assumed row; repeatable; none for text. [default: 1024x768]",
        ),
    ] = None,
    tokens: Annotated[
        int | None,
        typer.Option(
            "--tokens", min=1, max=MOST_TOKENS, help="Tokens of text in each assumed row."
        ),
    ] = None,
    every_row: Annotated[
        bool, typer.Option("--every-row", help="Count the tokens of every row, not of 256.")
    ] = False,
    advice: Annotated[
        bool, typer.Option("--advice/--no-advice", help="Try changes, and count each of them.")
    ] = True,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate/--no-calibrate", help="Run a short real step where the device is here."
        ),
    ] = True,
    settings: SetOption = None,
    progress: ProgressOption = None,
    json: JsonOption = False,
) -> None:
    """Say what a spec needs of a GPU: memory, time, money."""
    from kolm_cli.cli.plan_text import lines
    from kolm_cli.pipeline.plan import plan_spec
    from kolm_cli.pipeline.plan_report import fitting, too_large
    from kolm_cli.plan.assumed_rows import AssumedRows, parse_pictures

    output = Output(as_json=json)
    if rows is None and (pixels or tokens):
        name = "--pixels" if pixels else "--tokens"
        raise InputError(Problem("it has no effect without --rows", name, "write --rows N too"))
    if rows is not None and every_row:
        raise InputError(Problem("--rows and --every-row exclude each other", fix="keep one"))
    pictures = parse_pictures(pixels or [])
    with progress_for(output, progress) as shown:
        report = plan_spec(
            spec,
            device=device,
            usd_per_hour=usd_per_hour,
            every_row=every_row,
            advise=advice,
            calibrate=calibrate,
            assumed=None if rows is None else AssumedRows(rows, pictures, tokens),
            settings=settings or (),
            progress=shown,
        )
    if json:
        output.json(report)
    else:
        for line in lines(report):
            output.data(line)
    if refused := report["rows"]["refused"]:
        output.note(f"kolm compile refuses {len(refused)} of {report['rows']['looked_at']} rows")
    if reason := too_large(report):
        output.note(f"does not fit: {reason}")
        for change in fitting(report):
            output.note(f"it would fit with {change}")
        raise typer.Exit(ExitCode.GATE)
    if refused:
        raise typer.Exit(ExitCode.INPUT)
