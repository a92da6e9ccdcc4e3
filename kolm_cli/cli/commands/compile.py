"""`kolm compile`: from a spec to a signed bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from kolm_cli.cli.live import ProgressOption, progress_for
from kolm_cli.cli.options import JsonOption
from kolm_cli.cli.output import Output
from kolm_cli.core.errors import ExitCode


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compile")(compile_command)


def compile_command(
    spec: Annotated[Path, typer.Argument(help="The spec file.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", help="Where the bundle goes, instead of the spec's.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Train even when the same inputs were compiled before.")
    ] = False,
    progress: ProgressOption = None,
    device: Annotated[
        Literal["cpu", "cuda"] | None, typer.Option("--device", help="Instead of the spec's.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Train, score, and write a signed .kolm file."""
    from kolm_cli.pipeline.compile import compile_spec

    output = Output(as_json=json)
    with progress_for(output, progress) as shown:
        compiled = compile_spec(spec, out=out, force=force, device=device, progress=shown)
    if json:
        output.json(compiled.report)
    else:
        show_report(output, compiled.report)
    if not compiled.gate_passed:
        output.note("gate not met: " + "; ".join(compiled.report["gate"]["failed"]))
        if compiled.report["unchanged"]:
            output.note(f"{compiled.report['unchanged']} stays as it was")
        raise typer.Exit(int(ExitCode.GATE))


def show_report(output: Output, report: dict[str, Any]) -> None:
    """What a person wants to know of a finished compile."""
    score = report["k_score"]
    low, high = score["accuracy_ci95"]
    axes = "  ".join(
        f"{name} {'-' if value is None else f'{value:.4f}'}"
        for name, value in score["axes"].items()
    )
    k = f"{score['k']:.4f}" if score["k"] is not None else "undefined without usd_per_hour"
    cached = "  (found: the same inputs were compiled before)" if report["cached"] else ""
    output.data(f"bundle         {_from_here(Path(report['bundle']))}{cached}")
    output.data(f"cid            {report['cid']}")
    output.data(f"base accuracy  {report['base_accuracy']:.4f}")
    output.data(f"accuracy       {report['accuracy']:.4f}  (95 %: {low:.4f} to {high:.4f})")
    if report.get("cut_answers"):
        output.data(f"cut            {len(report['cut_answers'])} answers ended at max_new_tokens")
    output.data(f"K              {k}  ({axes})")
    output.data(f"gate           {'passed' if report['gate']['passed'] else 'NOT MET'}")


def _from_here(path: Path) -> Path:
    """`path` as one would type it here, where it is below the working directory."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
