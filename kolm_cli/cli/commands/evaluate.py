"""`kolm eval`: what a bundle's adapter scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from kolm_cli.cli.bundle_options import (
    AllowUntrustedOption,
    BundleArgument,
    CidOption,
    TrustOption,
)
from kolm_cli.cli.column_options import ColumnOption, FixedOption, columns_from
from kolm_cli.cli.live import ProgressOption, progress_for
from kolm_cli.cli.output import Output
from kolm_cli.core.errors import ExitCode

BaseOption = Annotated[
    Path | None, typer.Option("--base", help="Where a local base is, if not where it was.")
]
DeviceOption = Annotated[
    Literal["cpu", "cuda"] | None, typer.Option("--device", help="Instead of the spec's.")
]
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
    from kolm_cli.pipeline.evaluate import evaluate_again
    from kolm_cli.registry.bundle_file import bundle_file

    output = Output(as_json=json)
    demands = Demands(load_policy(trust), allow_untrusted, cid)
    columns = columns_from(column, fixed)
    with progress_for(output, progress) as shown, bundle_file(bundle) as path:
        report = evaluate_again(
            path,
            pack=pack,
            columns=columns,
            base=base,
            device=device,
            progress=shown,
            demands=demands,
        )
    if json:
        output.json(report)
    else:
        low, high = report["k_score"]["accuracy_ci95"]
        k = report["k_score"]["k"]
        output.data(f"cid       {report['cid']}")
        output.data(f"rows      {report['rows']}")
        output.data(f"accuracy  {report['accuracy']:.4f}  (95 %: {low:.4f} to {high:.4f})")
        output.data(f"K         {'undefined' if k is None else f'{k:.4f}'}")
        if cut := report["cut_answers"]:
            named = ", ".join(cut[:3]) + (", …" if len(cut) > 3 else "")
            output.data(
                f"cut       {len(cut)} answers ended at {report['max_new_tokens']} tokens: {named}"
            )
        same = report["predictions_as_in_bundle"]
        if same is not None:
            output.data(f"answers   {'the same as' if same else 'NOT the same as'} in the bundle")
    if not report["gate"]["passed"]:
        output.note("gate not met: " + "; ".join(report["gate"]["failed"]))
        raise typer.Exit(int(ExitCode.GATE))
