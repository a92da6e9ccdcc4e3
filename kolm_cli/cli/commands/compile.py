"""`kolm compile`: from a spec to a signed bundle."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from kolm_cli.cli.live import ProgressOption, progress_for
from kolm_cli.cli.options import JsonOption, SetOption
from kolm_cli.cli.output import Output
from kolm_cli.cli.verdict import lines_of, mistake_text
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
    settings: SetOption = None,
    plan: Annotated[
        bool, typer.Option("--plan/--no-plan", help="On a GPU, first count whether it fits.")
    ] = True,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="F", help="Write the gates as JUnit XML.")
    ] = None,
    summary: Annotated[
        Path | None, typer.Option("--summary", metavar="F", help="Add the verdict as Markdown.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Train, score, and write a signed .kolm file."""
    from kolm_cli.core.files import require_writable
    from kolm_cli.pipeline.compile import compile_spec

    output = Output(as_json=json)
    for path in filter(None, (junit, summary)):
        require_writable(path.absolute())
    with progress_for(output, progress) as shown:
        compiled = compile_spec(
            spec,
            out=out,
            force=force,
            device=device,
            settings=settings or (),
            plan=plan,
            progress=shown,
        )
    _write_files(compiled.report, junit, summary)
    if json:
        output.json(compiled.report)
    else:
        show_report(output, compiled.report)
    if not compiled.gate_passed:
        output.note("gate not met: " + "; ".join(compiled.report["gate"]["failed"]))
        if compiled.report["unchanged"]:
            output.note(f"{compiled.report['unchanged']} stays as it was")
        raise typer.Exit(int(ExitCode.GATE))


def _write_files(report: dict[str, Any], junit: Path | None, summary: Path | None) -> None:
    for path in filter(None, (junit, summary)):
        path.parent.mkdir(parents=True, exist_ok=True)
    if junit is not None:
        from kolm_cli.cli.junit import junit as as_junit
        from kolm_cli.core.files import write_atomic

        write_atomic(junit.absolute(), as_junit(report))
    if summary is not None:
        from kolm_cli.cli.summary import summary as as_markdown

        # A job's page is made by several steps: each adds to it.
        with summary.open("a", encoding="utf-8") as stream:
            stream.write(as_markdown(report))


def show_report(output: Output, report: dict[str, Any]) -> None:
    """What a person wants to know of a finished compile."""
    place = _from_here(Path(report["bundle"]))
    cached = "  (found: the same inputs were compiled before)" if report["cached"] else ""
    output.labelled("bundle", f"{place}{cached}", wrap=False)
    output.labelled("cid", report["cid"])
    for label, text in lines_of(report):
        output.labelled(label, text)
    for number, mistake in enumerate(report["mistakes"]):
        output.labelled("" if number else "mistakes", mistake_text(mistake))
    typed = shlex.quote(str(place))
    output.labelled("next", f"kolm eval {typed} --wrong 10", wrap=False)
    output.labelled("", f"kolm report {typed}", wrap=False)
    output.labelled("", f"kolm verify {typed}", wrap=False)


def _from_here(path: Path) -> Path:
    """`path` as one would type it here, where it is below the working directory."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
