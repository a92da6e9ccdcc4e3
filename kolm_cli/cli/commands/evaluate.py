"""`kolm eval`: what a bundle's adapter scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from kolm_cli.cli.bundle_options import (
    AllowUntrustedOption,
    BaseOption,
    BundleArgument,
    CidOption,
    DeviceOption,
    TrustOption,
)
from kolm_cli.cli.column_options import ColumnOption, FixedOption, columns_from
from kolm_cli.cli.details import details_of
from kolm_cli.cli.live import ProgressOption, progress_for
from kolm_cli.cli.output import Output
from kolm_cli.cli.verdict import lines_of, mistake_text
from kolm_cli.core.errors import ExitCode, InputError, Problem

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("eval")(evaluate)


def evaluate(
    bundle: BundleArgument,
    pack: Annotated[
        str | None,
        typer.Option(
            "--pack", metavar="SOURCE", help="Other rows than the bundle's own: a file, capture:NS."
        ),
    ] = None,
    column: ColumnOption = None,
    fixed: FixedOption = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=1, help="So many rows, from all over the pack."),
    ] = None,
    wrong: Annotated[
        int, typer.Option("--wrong", metavar="N", min=0, help="Show the N worst mistakes.")
    ] = 3,
    compare: Annotated[
        str | None,
        typer.Option("--compare", metavar="OTHER", help="Another bundle, on the same rows."),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="SOURCE",
            help="Stored answers to the same questions: capture:NS, rows, or predictions.",
        ),
    ] = None,
    confine: Annotated[
        bool, typer.Option("--confine", help="Refuse images of --pack outside its folder.")
    ] = False,
    base: BaseOption = None,
    device: DeviceOption = None,
    trust: TrustOption = None,
    allow_untrusted: AllowUntrustedOption = False,
    cid: CidOption = None,
    progress: ProgressOption = None,
    json: JsonOption = False,
) -> None:
    """Score a bundle again, on its own pack or another."""
    from kolm_cli.bundle.trust.file import load_policy
    from kolm_cli.pipeline.bundle_use import Demands
    from kolm_cli.pipeline.evaluate import Wanted, evaluate_again
    from kolm_cli.registry.bundle_file import bundle_file

    output = Output(as_json=json)
    if confine and pack is None:
        raise InputError(Problem("has no effect without --pack", "--confine", "leave it out"))
    demands = Demands(load_policy(trust), allow_untrusted, cid)
    columns = columns_from(column, fixed)
    with progress_for(output, progress) as shown, bundle_file(bundle) as path:
        report = evaluate_again(
            path,
            wanted=Wanted(pack, columns, limit, wrong, compare, baseline, confine),
            base=base,
            device=device,
            progress=shown,
            demands=demands,
        )
    if json:
        output.json(report)
    else:
        show_evaluation(output, report)
    if not report["gate"]["passed"]:
        output.note("gate not met: " + "; ".join(report["gate"]["failed"]))
        raise typer.Exit(int(ExitCode.GATE))


def show_evaluation(output: Output, report: Mapping[str, Any]) -> None:
    """What a person wants to know of a finished evaluation."""
    line = output.labelled
    line("cid", report["cid"])
    line("rows", str(report["rows"]))
    for label, text in lines_of(report):
        line(label, text)
    for label, text in details_of(report["details"]):
        line(label, text)
    for number, mistake in enumerate(report["mistakes"]):
        line("" if number else "mistakes", mistake_text(mistake))
    same = report["predictions_as_in_bundle"]
    if same is not None:
        line("answers", f"{'the same as' if same else 'NOT the same as'} in the bundle")
