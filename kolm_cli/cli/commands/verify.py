"""`kolm verify`: is a bundle intact, and did somebody sign it whom you trust?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kolm_cli.cli.bundle_options import BundleArgument, CidOption, TrustOption
from kolm_cli.cli.output import Output
from kolm_cli.core.errors import ExitCode

if TYPE_CHECKING:
    from kolm_cli.bundle.verify import Report

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
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Check a bundle: trusted, untrusted (intact, but no trusted key signed it) or invalid."""
    from kolm_cli.bundle.trust.file import load_policy
    from kolm_cli.bundle.verify import verify
    from kolm_cli.registry.bundle_file import bundle_file

    policy = load_policy(trust)
    with bundle_file(bundle) as path:
        report = verify(path, policy, cid=cid)
    output = Output(as_json=json)
    if json:
        output.json(report.as_json())
    else:
        _show(output, report)
    if report.state != "trusted" and not (report.state == "untrusted" and allow_untrusted):
        raise typer.Exit(int(ExitCode.VERIFICATION))


def _show(output: Output, report: Report) -> None:
    from kolm_cli.core.printable import one_line

    for check in report.checks:
        # What a hostile bundle says of itself must not steer the terminal.
        output.data(f"{_MARKS[check.ok]:<7} {check.name:<11} {one_line(check.detail)}")
    output.data(f"cid     {report.cid or 'none'}")
    output.data(f"state   {report.state}")
