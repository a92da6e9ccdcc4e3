"""`kolm verify`: is a bundle intact, and did somebody sign it whom you trust?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kolm_cli.cli.bundle_options import BundleArgument, CidOption, TrustOption
from kolm_cli.cli.live import ProgressKind, ProgressOption, progress_for
from kolm_cli.cli.output import Output
from kolm_cli.core.errors import ExitCode, InputError, Problem

if TYPE_CHECKING:
    from kolm_cli.bundle.verify import Report
    from kolm_cli.export.compare import Comparison

# Bytes from which reading takes long enough for somebody to wonder.
LARGE = 64 << 20
_MARKS = {True: "ok", False: "FAILED", None: "-"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify")(verify_command)


def verify_command(
    bundle: BundleArgument,
    trust: TrustOption = None,
    allow_untrusted: Annotated[
        bool, typer.Option("--allow-untrusted", help="Exit 0 for what is intact, whoever signed.")
    ] = False,
    cid: CidOption = None,
    export: Annotated[
        Path | None,
        typer.Option("--export", help="A folder to hold against it, from `kolm export`."),
    ] = None,
    base: Annotated[
        Path | None, typer.Option("--base", help="With --export: where a local base is.")
    ] = None,
    progress: ProgressOption = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Check a bundle: trusted, untrusted (intact, but no trusted key signed it) or invalid."""
    from kolm_cli.bundle.trust.file import load_policy
    from kolm_cli.bundle.verify import verify
    from kolm_cli.core.printable import one_line
    from kolm_cli.registry.bundle_file import bundle_file

    if base is not None and export is None:
        raise InputError(Problem("has no effect without --export", "--base", "leave it out"))
    policy = load_policy(trust)
    output = Output(as_json=json)
    with bundle_file(bundle) as path:
        # What is read in a moment needs no lines, unless they are asked for.
        shows = progress is not None or (path.is_file() and path.stat().st_size > LARGE)
        with progress_for(output, progress if shows else ProgressKind.NONE) as shown:
            report = verify(path, policy, cid=cid, progress=shown)
        taken = report.state == "trusted" or (report.state == "untrusted" and allow_untrusted)
        exported = None
        if export is not None and taken:
            from kolm_cli.pipeline.bundle_use import Demands
            from kolm_cli.pipeline.export import compare_export

            demands = Demands(policy, allow_untrusted, report.cid)
            with progress_for(output, progress) as shown:
                exported = compare_export(export, path, base=base, demands=demands, progress=shown)
    if json:
        said = report.as_json()
        output.json(said if export is None else {**said, "export": _as_json(exported)})
    else:
        _show(output, report)
        if exported is not None:
            output.data(f"export  {one_line(exported.said())}")
    if not taken or (exported is not None and not exported.same):
        raise typer.Exit(int(ExitCode.VERIFICATION))


def _as_json(exported: Comparison | None) -> dict[str, Any] | None:
    return None if exported is None else exported.as_json()


def _show(output: Output, report: Report) -> None:
    from kolm_cli.core.printable import one_line

    for check in report.checks:
        # What a hostile bundle says of itself must not steer the terminal.
        output.data(f"{_MARKS[check.ok]:<7} {check.name:<11} {one_line(check.detail)}")
    output.data(f"cid     {report.cid or 'none'}")
    output.data(f"state   {report.state}")
    if report.rejected:
        output.data("gate    NOT met: a rejected bundle")
