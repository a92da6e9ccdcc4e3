"""`kolm receipt`: what went in, what was trained, what it scored."""

from __future__ import annotations

from typing import Annotated

import typer

from kolm_cli.cli.bundle_options import BundleArgument
from kolm_cli.cli.output import Output
from kolm_cli.core.errors import InputError, Problem


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("receipt")(receipt_command)


def receipt_command(
    bundle: BundleArgument,
    sums: Annotated[
        bool,
        typer.Option("--sums", help="Lines for `sha256sum -c`, to run in the unpacked folder."),
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="List every captured pair, however many there are.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="The signed statement, as JSON.")] = False,
) -> None:
    """Print a bundle's receipt. It must be intact; `kolm verify` says who signed it."""
    from kolm_cli.bundle.receipt import read_receipt
    from kolm_cli.registry.bundle_file import bundle_file

    if sums and json:
        raise InputError(Problem("--sums and --json exclude each other", fix="keep one"))
    if full and (sums or json):
        other = "--sums" if sums else "--json"
        raise InputError(Problem(f"--full has no effect with {other}", fix="keep one"))
    with bundle_file(bundle) as path:
        receipt = read_receipt(path)
    output = Output(as_json=json)
    if json:
        output.json(receipt.statement)
    elif sums:
        output.data(receipt.sums())
    else:
        for line in receipt.lines(full=full):
            output.data(line)
